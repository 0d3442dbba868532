#!/bin/sh
# Reads COUNT objects beside KEY in one process of the AWS CLI: PATH has its `aws`.
set -eu
into=$(mktemp -d)
trap 'rm -rf "$into"' EXIT
aws s3 cp --recursive --only-show-errors "s3://$BUCKET/${KEY%/*}/" "$into"
echo "read: aws-cli $(aws --version 2>&1 | sed 's|aws-cli/||; s| .*||') $(find "$into" -type f | wc -l)"
