// Reads an object COUNT times through one client of the JavaScript SDK; NODE_PATH is where it is installed.
const { fromNodeProviderChain } = require("@aws-sdk/credential-providers");
const { GetObjectCommand, S3Client } = require("@aws-sdk/client-s3");
const { version } = require("@aws-sdk/client-s3/package.json");

(async () => {
  const { BUCKET: Bucket, KEY: Key, COUNT } = process.env;
  const s3 = new S3Client({ credentials: fromNodeProviderChain(), forcePathStyle: true });
  let read = 0;
  for (let i = 0; i < Number(COUNT); i++) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    read += (await Body.transformToByteArray()).length > 0;
  }
  console.log("read: aws-sdk-js", version, read);
})();
