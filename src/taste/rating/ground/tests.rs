//! The ground against brute force, and on tasks of which the answer is known.

use super::*;
use crate::taste::chance::Chance;
use crate::taste::rating::{Biases, Ratings, Stars, mean_squared_error};

const USERS: usize = 300;
const ITEMS: usize = 60;

/// Users of two camps, who rate what is theirs five times as often as the rest; with or without better stars for it.
fn camps(fondness: f32) -> Ratings {
    let mut all = Vec::new();
    for user in 0..USERS as u32 {
        let mut chance = Chance::new(9, "camps", user.into());
        for item in 0..ITEMS as u32 {
            let own = user % 2 == item % 2;
            if chance.unit() < if own { 0.5 } else { 0.1 } {
                let stars = 0.2 + if own { fondness } else { -fondness };
                let value = (stars + chance.normals(1, 0.2)[0]).clamp(-1.0, 1.0);
                all.push(Rated { user, item, value, review: None });
            }
        }
    }
    let stars = Stars { least: 1.0, most: 5.0 };
    Ratings { users: USERS, items: ITEMS, all, stars, reviews: Vec::new() }
}

#[test]
fn what_the_same_users_rate_is_in_one_company() {
    let ratings = camps(0.0);
    let rows = company(USERS, ITEMS, &ratings.all, 1);
    let like = |a: usize, b: usize| dot(&rows[a * WIDTH..][..WIDTH], &rows[b * WIDTH..][..WIDTH]);
    let mean = |camp: usize| {
        let pairs = (0..ITEMS).flat_map(|a| (0..a).map(move |b| (a, b)));
        let found: Vec<f64> =
            pairs.filter(|(a, b)| (a + b) % 2 == camp).map(|(a, b)| like(a, b)).collect();
        found.iter().sum::<f64>() / found.len() as f64
    };
    assert!(mean(0) > 0.2 && mean(1) < -0.2, "{} {}", mean(0), mean(1));
    assert!((0..ITEMS).all(|item| (like(item, item) - 1.0).abs() < 1e-9));
}

/// Stars near the middle, where tanh is straight, so that leaving a rating out and fitting anew is no approximation.
#[test]
fn what_a_rating_tells_itself_is_left_out_as_if_it_had_not_been_there() {
    let mut ratings = camps(0.0);
    ratings.all.iter_mut().for_each(|rated| rated.value *= 0.02);
    let rows = company(USERS, ITEMS, &ratings.all, 1);
    let fit = Fit::new(USERS, ITEMS, ratings.all.clone(), rows.clone());
    for user in [0, 7, 31] {
        let damping = [2.0, 4.0];
        let own: Vec<Rated> = ratings.all.iter().filter(|r| r.user == user).copied().collect();
        let told = fit.user(user, damping).1;
        assert!(own.len() > 2 && told.len() == own.len());
        for (rated, (told, error)) in own.iter().zip(told) {
            let others = ratings.all.iter().filter(|other| *other != rated).copied().collect();
            let without = Fit { mean: fit.mean, ..Fit::new(USERS, ITEMS, others, rows.clone()) };
            let ([a, t @ ..], _) = without.user(user, damping);
            let anew = fit.mean + a + dot(&t, fit.row(rated.item));
            assert!((told - anew).abs() < 1e-5, "{told} {anew}");
            assert!((error - (f64::from(rated.value) - anew.tanh())).abs() < 1e-5);
        }
    }
}

/// Biases know nothing of camps, the ground of biases alone is as good as they are, and where
/// stars do not follow the camps nothing is lost.
#[test]
fn company_tells_what_biases_cannot() {
    for (fondness, gain) in [(0.4, 0.5), (0.0, -0.03)] {
        let ratings = camps(fondness);
        let (known, held) = ratings.divide(0.2, 1);
        let error = |tell: &dyn Fn(&Rated) -> f32| {
            mean_squared_error(&held, &held.iter().map(tell).collect::<Vec<_>>())
        };
        let biases = Biases::of(&ratings, &known);
        let told = |rated: &Rated| biases.tell(Some(rated.user), Some(rated.item));
        let fitted = |kind| {
            let ground = Ground::fit(kind, (USERS, ITEMS), &known, 1).unwrap();
            error(&|rated| ground.tell(rated.user, rated.item).tanh())
        };
        let (plain, company) = (fitted(GroundKind::Biases), fitted(GroundKind::Company));
        let theirs = error(&told);
        println!("{fondness}: biases {theirs:.4}, on the ground {plain:.4}, company {company:.4}");
        assert!(plain < 1.05 * theirs && company < (1.0 - gain) * plain);
    }
    assert!(Ground::fit(GroundKind::None, (USERS, ITEMS), &[], 1).is_none());
}

/// Half of the users love half of the items, which nobody's ratings tell: six a thing, all of whose differences are chance.
#[test]
fn what_is_chance_is_damped_away() {
    let mut all = Vec::new();
    for user in 0..100u32 {
        let mut chance = Chance::new(4, "planted", user.into());
        for _ in 0..48 {
            let item = chance.below(800) as u32;
            let meant = if (item + user).is_multiple_of(2) { 0.5 } else { -0.5 };
            let value = (meant + chance.normals(1, 0.3)[0]).clamp(-1.0, 1.0);
            all.push(Rated { user, item, value, review: None });
        }
    }
    let stars = Stars { least: 1.0, most: 5.0 };
    let ratings = Ratings { users: 100, items: 800, all, stars, reviews: Vec::new() };
    let (known, held) = ratings.divide(0.2, 1);
    let error = |tell: &dyn Fn(&Rated) -> f32| {
        mean_squared_error(&held, &held.iter().map(tell).collect::<Vec<_>>())
    };
    let biases = Biases::of(&ratings, &known);
    let ground = Ground::fit(GroundKind::Company, (100, 800), &known, 1).unwrap();
    let told = error(&|rated| ground.tell(rated.user, rated.item).tanh());
    let theirs = error(&|rated| biases.tell(Some(rated.user), Some(rated.item)));
    assert!(told < 1.02 * theirs.min(error(&|_| biases.mean)), "{told} {theirs}");
}

#[test]
fn strangers_and_nobody_at_all_have_a_ground() {
    let rated = |user, value| Rated { user, item: 1, value, review: None };
    let ground = Ground::fit(GroundKind::Company, (3, 3), &[rated(0, 0.5), rated(2, 0.5)], 1);
    let ground = ground.unwrap();
    assert!((ground.tell(1, 0).tanh() - 0.5).abs() < 1e-6);
    let empty = Ground::fit(GroundKind::Company, (1, 1), &[], 1).unwrap();
    assert_eq!((empty.tell(0, 0), empty.tell_apart(0, 0)), (0.0, 0.0));
}

#[test]
fn a_ground_that_was_kept_tells_the_same() {
    let ratings = camps(0.3);
    let ground = Ground::fit(GroundKind::Company, (USERS, ITEMS), &ratings.all, 1).unwrap();
    let mut state = State::new();
    ground.save(&mut state);
    let again = Ground::load(&state, (USERS, ITEMS)).unwrap();
    assert_eq!(ground.tell(3, 5), again.tell(3, 5));
    let known = ratings.all[0];
    assert_ne!(ground.tell_apart(known.user, known.item), ground.tell(known.user, known.item));
    assert!(Ground::load(&state, (USERS + 1, ITEMS)).is_err());
}
