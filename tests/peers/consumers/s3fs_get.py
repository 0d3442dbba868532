# Reads an object COUNT times through one file system of s3fs.
import os

import s3fs

fs, read = s3fs.S3FileSystem(), 0
for _ in range(int(os.environ["COUNT"])):
    read += bool(fs.cat_file(f"{os.environ['BUCKET']}/{os.environ['KEY']}", max_concurrency=1))
print("read:", "s3fs", s3fs.__version__, read)
