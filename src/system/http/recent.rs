//! The few things that were used last, by key.

/// How many are kept.
const MOST: usize = 16;

/// Looked through from end to end: they are few.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    /// The one used last is at the end.
    kept: Vec<(K, V)>,
}

// === impl Recent ===

impl<K, V> Default for Recent<K, V> {
    fn default() -> Recent<K, V> {
        Recent { kept: Vec::new() }
    }
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// What was kept under `key`, which counts as used.
    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        let at = self.kept.iter().position(|(known, _)| known == key)?;
        let used = self.kept.remove(at);
        let value = used.1.clone();
        self.kept.push(used);
        Some(value)
    }

    /// Keeps `value`, in place of what was under `key`; what was used longest ago makes room.
    pub(super) fn keep(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.kept.len() >= MOST {
            self.kept.remove(0);
        }
        self.kept.push((key, value));
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.kept.retain(|(known, _)| known != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let mut recent = Recent::default();
        (0..MOST).for_each(|key| recent.keep(key, key * 10));
        assert_eq!(recent.get(&0), Some(0), "used again");
        recent.keep(2, 21);
        recent.keep(MOST, 7);
        assert_eq!(
            (recent.get(&1), recent.get(&0), recent.get(&2), recent.get(&MOST)),
            (None, Some(0), Some(21), Some(7))
        );
        (100..1000).for_each(|key| recent.keep(key, key));
        assert_eq!(recent.kept.len(), MOST);
        recent.remove(&999);
        assert_eq!((recent.get(&999), recent.get(&998)), (None, Some(998)));
    }
}
