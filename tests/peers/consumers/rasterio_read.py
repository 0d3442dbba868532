# Reads a GeoTIFF COUNT times with the GDAL that rasterio brings.
import os

import rasterio

os.environ.update(CPL_VSIL_CURL_NON_CACHED="/vsis3/", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")
read = 0
for _ in range(int(os.environ["COUNT"])):
    with rasterio.open(f"/vsis3/{os.environ['BUCKET']}/{os.environ['KEY']}") as tile:
        read += bool(tile.read(1).any())
print("read:", "rasterio", f"{rasterio.__version__}+gdal{rasterio.__gdal_version__}", read)
