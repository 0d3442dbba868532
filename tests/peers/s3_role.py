# The role that credentials of s3-credentials are made of: s3_role.py ENDPOINT
import json
import sys

import boto3

NAME = "s3-credentials.AmazonS3FullAccess"
iam = boto3.client("iam", endpoint_url=sys.argv[1], region_name="us-east-1")
role = iam.get_role(RoleName=NAME)["Role"]
policies = iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]
print(json.dumps({
    "MaxSessionDuration": role["MaxSessionDuration"],
    "Trusted": role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"],
    "Policies": [policy["PolicyArn"] for policy in policies],
}))
