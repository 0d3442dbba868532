//! The SDK for Rust, by `aws-config` as programs use it. It is a process of its own: this test program, run again.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::BehaviorVersion;
use std::sync::Arc;
use std::time::Duration;
use valetkey::aws::Connector;
use valetkey::ports::Route;
use valetkey::system::http::Network;

/// In place of a script's name.
pub(crate) const SCRIPT: &str = "aws-config";

/// The command that runs [`reads_by_the_default_chain`].
pub(crate) fn words() -> Vec<String> {
    let program = std::env::current_exe().unwrap().display().to_string();
    let filter = ["--ignored", "--exact", "rust_sdk::reads_by_the_default_chain", "--nocapture"];
    std::iter::once(program).chain(filter.map(str::to_owned)).collect()
}

#[tokio::test]
#[ignore = "a consumer, which another test runs with its variables set"]
async fn reads_by_the_default_chain() {
    let Some(bucket) = std::env::var("BUCKET").ok() else { return };
    let (key, count) = (std::env::var("KEY").unwrap(), std::env::var("COUNT").unwrap().parse::<usize>().unwrap());
    // Our own transport: another TLS stack would prove nothing of keys.
    let http = Connector::new(Arc::new(Network::default()), Route::default(), Duration::from_secs(20));
    let shared = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(true).build();
    let client = Client::from_conf(config);
    let mut read = 0;
    for _ in 0..count {
        let object = client.get_object().bucket(&bucket).key(&key).send().await.unwrap();
        read += usize::from(!object.body.collect().await.unwrap().into_bytes().is_empty());
    }
    println!("\nread: aws-config {} {read}", aws_config_version());
}

fn aws_config_version() -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"aws-config\"")).unwrap();
    entry.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"')).unwrap()
}
