# Reads an object COUNT times through one client of boto3.
import os

import boto3

s3, read = boto3.client("s3"), 0
for _ in range(int(os.environ["COUNT"])):
    read += bool(s3.get_object(Bucket=os.environ["BUCKET"], Key=os.environ["KEY"])["Body"].read())
print("read:", "boto3", boto3.__version__, read)
