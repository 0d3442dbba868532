//! The real outside: what `ports` names, as this machine has it.

pub mod keyring;
