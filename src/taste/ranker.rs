//! The seam of evaluation: whoever can score the whole inventory for a user can be judged.

/// Scores every item for some users.
///
/// Implemented by the factors of trained models and by every baseline. Threads call it side by side,
/// each for users of its own.
pub trait Ranker: Sync {
    /// `scores[n * items + i]` becomes what item `i` is worth to `users[n]`: more is better, and only
    /// the order of one user's scores means anything.
    fn score(&self, users: &[u32], scores: &mut [f32]);
}
