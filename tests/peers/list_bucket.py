# Lists a bucket as a program of a user's would, through a profile of ~/.aws/config: list_bucket.py PROFILE BUCKET
# Prints the keys that boto3 signed with, then the objects, as one JSON line.
import json
import sys

import boto3

profile, bucket = sys.argv[1:]
session = boto3.Session(profile_name=profile)
listed = session.client("s3").list_objects_v2(Bucket=bucket)
frozen = session.get_credentials().get_frozen_credentials()
print(json.dumps({
    "method": session.get_credentials().method,
    "access_key": frozen.access_key,
    "objects": [entry["Key"] for entry in listed["Contents"]],
}))
