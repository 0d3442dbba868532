# Reads a GeoTIFF COUNT times with rasterio, which hands GDAL the keys that boto3 has at the entry of Env, and no later ones.
import os

import rasterio
from rasterio.session import AWSSession

os.environ.update(CPL_VSIL_CURL_NON_CACHED="/vsis3/", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")
read = 0
with rasterio.Env(AWSSession()):
    for _ in range(int(os.environ["COUNT"])):
        with rasterio.open(f"s3://{os.environ['BUCKET']}/{os.environ['KEY']}") as tile:
            read += bool(tile.read(1).any())
print("read:", "rasterio", f"{rasterio.__version__}+boto3", read)
