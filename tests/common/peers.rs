//! Programs that are not ours and that tests want: found, or the test is skipped; in CI a missing one is a failure.

use std::path::PathBuf;

/// Where each of `programs` is: in the directory that `VALETKEY_PEERS` names, or on PATH.
/// None, said on standard output, if one is missing; panics then in CI.
pub(crate) fn installed(programs: &[&str]) -> Option<Vec<PathBuf>> {
    let own = std::env::var_os("VALETKEY_PEERS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = own.into_iter().chain(std::env::split_paths(&path)).collect();
    let find = |program: &&str| places.iter().map(|place| place.join(program)).find(|file| file.is_file());
    let missing: Vec<_> = programs.iter().filter(|program| find(program).is_none()).copied().collect();
    if missing.is_empty() {
        return Some(programs.iter().filter_map(find).collect());
    }
    skipped(&format!("not installed: {}", missing.join(", ")));
    None
}

/// Says that a test did nothing, and why; panics in CI.
pub(crate) fn skipped(why: &str) {
    println!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "in CI nothing may be skipped: {why}");
}
