//! The crate from outside: what finds neighbours against brute force, and the file against damage.

mod conformance;
mod damage;
mod further;
mod graph;
mod hostile;
mod naive;
mod shelf;
mod writing;
