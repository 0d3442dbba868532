# Makes a user who may assume a role, and the role, which may read one object: role.py ENDPOINT ROLE BUCKET KEY
# From then on every request is checked by moto. Prints the user's access key as JSON.
import json
import sys
import urllib.request

import boto3

endpoint, role, bucket, key = sys.argv[1:]
iam = boto3.client("iam", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="maker", aws_secret_access_key="x")


def policy(action, resource, **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, **resource, **more}]})


user = iam.create_user(UserName="ada")["User"]["Arn"]
trust = policy("sts:AssumeRole", {"Principal": {"AWS": user}})
arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
read = policy("s3:GetObject", {"Resource": f"arn:aws:s3:::{bucket}/{key}"})
iam.put_role_policy(RoleName=role, PolicyName="read", PolicyDocument=read)
iam.put_user_policy(UserName="ada", PolicyName="assume", PolicyDocument=policy("sts:AssumeRole", {"Resource": arn}))
keys = iam.create_access_key(UserName="ada")["AccessKey"]
# Not as a form, which moto would read as one.
checks = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
urllib.request.urlopen(checks).read()
print(json.dumps({"AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"]}))
