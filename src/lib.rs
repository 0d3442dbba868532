pub mod helper;
pub mod wire;
