# Reads or writes an object as a program of a user's would, through a profile of ~/.aws/config: object.py PROFILE BUCKET KEY get|put
# Prints the keys that boto3 signed with and what came of it ("ok", or the error's code) as one JSON line.
import json
import sys

import boto3
from botocore.exceptions import ClientError

profile, bucket, key, verb = sys.argv[1:]
session = boto3.Session(profile_name=profile)
s3 = session.client("s3")
try:
    if verb == "get":
        came = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=b"data")
        came = "ok"
except ClientError as error:
    came = error.response["Error"]["Code"]
credentials = session.get_credentials()
print(json.dumps({
    "method": credentials.method,
    "access_key": credentials.get_frozen_credentials().access_key,
    "came": came,
}))
