# Reads an object COUNT times through one store of obstore, which itself knows containers alone: profiles by boto3.
import os
from datetime import timedelta

import obstore
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

# Without a ttl it takes keys to live for 30 minutes from now, whatever their Expiration; boto3 has 15 minutes at least.
provider = Boto3CredentialProvider(ttl=timedelta(minutes=15)) if "AWS_PROFILE" in os.environ else None
store = S3Store(os.environ["BUCKET"], credential_provider=provider, client_options={"allow_http": True})
read = 0
for _ in range(int(os.environ["COUNT"])):
    read += bool(obstore.get(store, os.environ["KEY"]).bytes())
print("read:", "obstore", obstore.__version__, read)
