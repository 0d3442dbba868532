# Makes a bucket with COUNT small GeoTIFFs and one GeoJSON at an S3: granules.py ENDPOINT BUCKET COUNT
import json
import sys

import boto3
import numpy
import rasterio

endpoint, bucket, count = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="maker", aws_secret_access_key="x")
s3.create_bucket(Bucket=bucket)
with rasterio.MemoryFile() as file:
    north_west = rasterio.transform.from_origin(0, 1, 0.1, 0.1)
    shape = dict(driver="GTiff", width=8, height=8, count=1, dtype="uint8", crs="EPSG:4326", transform=north_west)
    with file.open(**shape) as tile:
        tile.write(numpy.ones((1, 8, 8), "uint8"))
    tile = file.read()
for number in range(1, int(count) + 1):
    s3.put_object(Bucket=bucket, Key=f"granules/{number}.tif", Body=tile)
point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
s3.put_object(Bucket=bucket, Key="point.geojson", Body=json.dumps({"type": "FeatureCollection", "features": [point]}))
