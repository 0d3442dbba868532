# Signs a request each second, as a long job would, and says when and with whose key: sign_each_second.py SECONDS
import sys
import time
from urllib.parse import parse_qs, urlparse

import boto3

s3 = boto3.client("s3")
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    credential = parse_qs(urlparse(url).query)
    key = credential.get("X-Amz-Credential", credential.get("AWSAccessKeyId"))[0].split("/")[0]
    print(time.time(), key, flush=True)
    time.sleep(1)
