# Reads a GeoJSON COUNT times with the GDAL that pyogrio brings.
import os

import pyogrio

os.environ.update(CPL_VSIL_CURL_NON_CACHED="/vsis3/", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")
read = 0
for _ in range(int(os.environ["COUNT"])):
    read += pyogrio.read_info(f"/vsis3/{os.environ['BUCKET']}/{os.environ['KEY']}")["features"]
print("read:", "pyogrio", f"{pyogrio.__version__}+gdal{pyogrio.__gdal_version_string__}", read)
