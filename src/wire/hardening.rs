//! What every program of ours does first.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dump, and no debugger of the same user. Where it is refused the program goes on without.
pub fn keep_memory_private() {
    shut_out_debuggers();
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// The same for this program alone: a limit would hold for those that it becomes or starts as well, and keep a user's own
/// program from leaving a core.
pub fn shut_out_debuggers() {
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
