//! Networks that read sentences, one file each.
