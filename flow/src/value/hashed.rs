//! Hash maps for keys of the program: fast for handles and short texts, and seeded for each process, so that
//! nobody can choose keys that collide. Nothing may depend on their order.

use std::collections::{HashMap, HashSet};

/// A map whose order means nothing.
pub(crate) type Hashed<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A set whose order means nothing.
pub(crate) type Seen<K> = HashSet<K, foldhash::fast::RandomState>;
