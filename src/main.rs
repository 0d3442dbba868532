//! The command. Called by the helper's name it is the helper: `cargo run` builds one binary only.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

#[allow(clippy::disallowed_methods)] // An edge: arguments come from here.
fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let called = arguments.first().and_then(|name| Path::new(name).file_name());
    if called.is_some_and(|name| name == valetkey::helper::PROGRAM) {
        return valetkey::helper::run(arguments.into_iter().skip(1));
    }
    valetkey::cli::run(arguments.into_iter())
}
