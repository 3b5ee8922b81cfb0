//! Who and where: regions and units, shared by all modules.
pub mod region;
pub mod unit;
