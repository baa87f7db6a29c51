//! The crate from outside: what finds neighbours against brute force, and the file against damage.

mod conformance;
mod damage;
mod naive;
mod writing;
