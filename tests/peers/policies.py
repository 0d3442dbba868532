# The session policies that moto's STS was given, by the role's session: policies.py ENDPOINT
import json
import sys
import urllib.request

data = json.load(urllib.request.urlopen(f"{sys.argv[1]}/moto-api/data.json"))
print(json.dumps([[role["session_name"], role["policy"]] for role in data["sts"]["AssumedRole"]]))
