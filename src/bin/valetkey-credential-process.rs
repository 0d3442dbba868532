//! The helper's binary: see `valetkey::helper`.

use std::process::ExitCode;

#[allow(clippy::disallowed_methods)] // An edge: arguments come from here.
fn main() -> ExitCode {
    valetkey::helper::run(std::env::args_os().skip(1))
}
