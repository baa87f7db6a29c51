//! Networks that read pictures, one file each.
