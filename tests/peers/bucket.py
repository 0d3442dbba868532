# Makes a bucket with two objects at an S3, with keys of our own: bucket.py ENDPOINT BUCKET
import sys

import boto3

endpoint, bucket = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="maker", aws_secret_access_key="x")
s3.create_bucket(Bucket=bucket)
for key in ("granule-1.nc", "granule-2.nc"):
    s3.put_object(Bucket=bucket, Key=key, Body=b"data")
