#!/bin/sh
# Reads COUNT objects beside KEY in one process of rclone, which takes the endpoint from no AWS variable and no profile.
set -eu
into=$(mktemp -d)
trap 'rm -rf "$into"' EXIT
export RCLONE_S3_PROVIDER=Other RCLONE_S3_ENV_AUTH=true RCLONE_S3_ENDPOINT="$AWS_ENDPOINT_URL_S3"
rclone --config "" copy ":s3:$BUCKET/${KEY%/*}" "$into"
echo "read: rclone $(rclone version | sed -n '1s/rclone v//p') $(find "$into" -type f | wc -l)"
