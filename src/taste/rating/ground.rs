//! The ground that the tower builds on: what is told of a rating before anybody looks.
//!
//! ```text
//! r    = tanh(g_ui + tower)            g_ui = m + a_u + b_i + p_u . f_i
//! p_u  = w c_u + t_u                   c_u  = n / (n + 4) (mean of the f_j that u rated - mean of all)
//! b    = argmin Σ (r - tanh(m + a_u + b_i))² + A |a|² + B |b|²
//! a, t = argmin Σ (r - tanh g)² + A a_u² + T |t_u|²          user by user
//! ```
//!
//! `f` is the company that items keep. That somebody has rated an item's like says, with the weight `w`, that it will be
//! rated well; the stars that were given to its like say it by `t`. All is fitted before the tower learns, which
//! then begins with nothing to add.
//!
//! What a known rating itself told is left out of that rating's own ground, in closed form (`h / (1 - h)` times what is
//! left over, `h` being its leverage on its user and its item): else the tower would learn from ratings of which most
//! is already explained, and judge others of which less is. The same errors choose `A`, `B` and `T`, and no other ratings
//! are needed: where stars follow neither items nor company, the ground is soon the mean.

use super::company::{WIDTH, company};
use super::ratings::Rated;
use super::settings::GroundKind;
use crate::taste::Error;
use crate::taste::model::{Array, State, restore};

/// What `A` and `B` are chosen from while biases settle.
const DAMPING: [f64; 4] = [3.0, 10.0, 30.0, 100.0];
/// So many ratings of the mean are added to what a user rated.
const STRANGENESS: f64 = 4.0;
/// Turns in which users' and items' biases settle.
const TURNS: usize = 8;
/// What `A` and `T` are chosen from; the last leaves the stars given to an item's like out.
const OWN: [f64; 4] = [2.0, 4.0, 8.0, 32.0];
const TASTE: [f64; 4] = [4.0, 8.0, 32.0, 1e6];
/// Chosen by so many users at most.
const CHOOSING: usize = 20_000;
/// The least slope of tanh that a rating is taken to be told with, and the most of a rating's own leverage.
const SLOPE: f64 = 0.1;
const LEVERAGE: f64 = 0.9;

/// Of a bias and a row.
const WIDE: usize = 1 + WIDTH;
type Row = [f64; WIDE];

/// Mean, biases and rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    mean: f32,
    /// `a_u` and `p_u`, user by user.
    users: Vec<f32>,
    /// `b_i` and `f_i`, item by item.
    items: Vec<f32>,
    apart: Apart,
}

/// The ground of each known rating without what it told itself; none where it is only asked.
#[derive(Debug, Clone, Default, PartialEq)]
struct Apart {
    /// By user and item.
    pairs: Vec<(u32, u32)>,
    values: Vec<f32>,
}

impl Ground {
    /// Fitted to ratings, of which some users and items may have none.
    pub fn fit(
        kind: GroundKind,
        (users, items): (usize, usize),
        known: &[Rated],
        seed: u64,
    ) -> Option<Self> {
        let rows = match kind {
            GroundKind::None => return None,
            GroundKind::Biases => vec![0.0; items * WIDTH],
            GroundKind::Company => company(users, items, known, seed),
        };
        let mut known = known.to_vec();
        known.sort_by_key(|rated| (rated.user, rated.item));
        Some(Fit::new(users, items, known, rows).ground())
    }

    /// Of a pair.
    pub fn tell(&self, user: u32, item: u32) -> f32 {
        let of = |rows: &[f32], row: u32| -> [f32; WIDE] {
            let at = row as usize * WIDE;
            std::array::from_fn(|n| rows.get(at + n).copied().unwrap_or(0.0))
        };
        let ([a, p @ ..], [b, f @ ..]) = (of(&self.users, user), of(&self.items, item));
        self.mean + a + b + p.iter().zip(f).map(|(p, f)| p * f).sum::<f32>()
    }

    /// The same, of a known rating without what it told itself.
    pub fn tell_apart(&self, user: u32, item: u32) -> f32 {
        match self.apart.pairs.binary_search(&(user, item)) {
            Ok(place) => self.apart.values[place],
            Err(_) => self.tell(user, item),
        }
    }

    /// Writes down what it takes to answer.
    pub(super) fn save(&self, state: &mut State) {
        state.insert("ground.mean".to_owned(), Array::rows(1, vec![self.mean]));
        for (name, values) in [("ground.users", &self.users), ("ground.items", &self.items)] {
            state.insert(name.to_owned(), Array::rows(values.len() / WIDE, values.clone()));
        }
    }

    /// Takes it up again, of so many users and items.
    pub(super) fn load(state: &State, (users, items): (usize, usize)) -> Result<Self, Error> {
        let read = |name: &str, count: usize| {
            let mut values = vec![0.0; count];
            restore(state, name, &mut values).map(|()| values)
        };
        Ok(Ground {
            mean: read("ground.mean", 1)?[0],
            users: read("ground.users", users * WIDE)?,
            items: read("ground.items", items * WIDE)?,
            apart: Apart::default(),
        })
    }
}

/// What is being fitted.
struct Fit {
    /// By user.
    known: Vec<Rated>,
    /// Where each user's ratings begin, and where the last one's end.
    starts: Vec<usize>,
    mean: f64,
    of_users: Vec<f64>,
    of_items: Vec<f64>,
    /// By item, what the square of a rating's slope is multiplied by to be its leverage on the item's bias.
    held: Vec<f64>,
    /// `f`.
    rows: Vec<f64>,
    /// The mean of all known ratings' rows.
    middle: [f64; WIDTH],
    /// The sums of the rows that each user rated.
    sums: Vec<[f64; WIDTH]>,
    /// `w`.
    weight: f64,
}

/// Users, or items: their biases, and what the square of a rating's slope is multiplied by to be its leverage on each.
struct Side {
    biases: Vec<f64>,
    held: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// How far a rating is off what is told of it, and the slope there.
fn off(rated: &Rated, told: f64) -> (f64, f64) {
    let told = told.tanh();
    (f64::from(rated.value) - told, 1.0 - told * told)
}

impl Fit {
    fn new(users: usize, items: usize, known: Vec<Rated>, rows: Vec<f64>) -> Self {
        let count = known.len().max(1) as f64;
        let mean = known.iter().map(|rated| f64::from(rated.value)).sum::<f64>() / count;
        let starts: Vec<usize> =
            (0..=users as u32).map(|u| known.partition_point(|rated| rated.user < u)).collect();
        let (mut middle, mut sums) = ([0.0; WIDTH], vec![[0.0; WIDTH]; users]);
        for rated in &known {
            let row = &rows[rated.item as usize * WIDTH..][..WIDTH];
            for (n, x) in row.iter().enumerate() {
                middle[n] += x / count;
                sums[rated.user as usize][n] += x;
            }
        }
        Fit {
            known,
            starts,
            mean: mean.clamp(-0.99, 0.99).atanh(),
            of_users: vec![0.0; users],
            of_items: vec![0.0; items],
            held: vec![0.0; items],
            rows,
            middle,
            sums,
            weight: 0.0,
        }
    }

    fn row(&self, item: u32) -> &[f64] {
        &self.rows[item as usize * WIDTH..][..WIDTH]
    }

    fn biases(&self, rated: &Rated) -> f64 {
        self.mean + self.of_users[rated.user as usize] + self.of_items[rated.item as usize]
    }

    /// `c_u`, without one of the user's ratings where that is asked for.
    fn profile(&self, user: u32, without: Option<&Rated>) -> [f64; WIDTH] {
        let at = user as usize;
        let all = (self.starts[at + 1] - self.starts[at]) as f64;
        let count = all - f64::from(u8::from(without.is_some()));
        std::array::from_fn(|n| {
            let own = without.map_or(0.0, |rated| self.row(rated.item)[n]);
            (self.sums[at][n] - own - count * self.middle[n]) / (count + STRANGENESS)
        })
    }

    /// How much an item is like the others that its user rated.
    fn likeness(&self, rated: &Rated) -> f64 {
        dot(&self.profile(rated.user, Some(rated)), self.row(rated.item))
    }

    fn ground(mut self) -> Ground {
        self.settle();
        self.weigh();
        let damping = self.chosen();
        let mut apart = Apart::default();
        let mut users = Vec::with_capacity(self.sums.len() * WIDE);
        for user in 0..self.sums.len() as u32 {
            let ([own, taste @ ..], told) = self.user(user, damping);
            let of = &self.known[self.starts[user as usize]..self.starts[user as usize + 1]];
            apart.pairs.extend(of.iter().map(|rated| (rated.user, rated.item)));
            apart.values.extend(told.iter().map(|(told, _)| *told as f32));
            users.push(own as f32);
            let profile = self.profile(user, None);
            let row = profile.iter().zip(taste).map(|(c, t)| (self.weight * c + t) as f32);
            users.extend(row);
        }
        let items = self.of_items.iter().zip(self.rows.chunks_exact(WIDTH));
        let items = items.flat_map(|(b, row)| [&[*b], row].concat()).map(|x| x as f32).collect();
        Ground { mean: self.mean as f32, users, items, apart }
    }

    /// The `A` and `T` by which ratings are told best by their users' others.
    fn chosen(&self) -> [f64; 2] {
        let every = (self.sums.len() / CHOOSING).max(1);
        let error = |damping: [f64; 2]| -> f64 {
            let users = (0..self.sums.len() as u32).step_by(every);
            let squares = users.flat_map(|user| self.user(user, damping).1);
            squares.map(|(_, error)| error * error).sum()
        };
        let choices = OWN.iter().flat_map(|&own| TASTE.map(|taste| [own, taste]));
        let judged = choices.map(|damping| (error(damping), damping));
        let best = judged.min_by(|a, b| a.0.total_cmp(&b.0));
        best.map_or([OWN[0], TASTE[0]], |(_, damping)| damping)
    }

    /// Users' and items' biases, by the damping with which ratings are told best by the others.
    fn settle(&mut self) {
        let choices = DAMPING.iter().flat_map(|&own| DAMPING.map(|items| [own, items]));
        let mut least = f64::INFINITY;
        let mut best = None;
        for damping in choices {
            let (biases, error) = self.settled(damping);
            if error < least {
                (least, best) = (error, Some(biases));
            }
        }
        if let Some([users, items]) = best {
            self.of_users = users.biases;
            (self.of_items, self.held) = (items.biases, items.held);
        }
    }

    /// Biases of users and of items in turns, and the error of what is told of ratings by the others.
    fn settled(&self, damping: [f64; 2]) -> ([Side; 2], f64) {
        let places = |rated: &Rated| [rated.user as usize, rated.item as usize];
        let mut sides = [&self.of_users, &self.of_items]
            .map(|of| Side { biases: vec![0.0; of.len()], held: vec![0.0; of.len()] });
        let told = |sides: &[Side; 2], rated: &Rated| {
            let [user, item] = places(rated);
            off(rated, self.mean + sides[0].biases[user] + sides[1].biases[item])
        };
        for turn in [1, 0].repeat(TURNS) {
            let damping = damping[turn];
            let mut sums = vec![(0.0, damping); sides[turn].biases.len()];
            for rated in &self.known {
                let (left, slope) = told(&sides, rated);
                let sum = &mut sums[places(rated)[turn]];
                *sum = (sum.0 + slope * left, sum.1 + slope * slope);
            }
            let Side { biases, held } = &mut sides[turn];
            for ((x, held), (up, down)) in biases.iter_mut().zip(held).zip(sums) {
                *x += (up - damping * *x) / down;
                *held = down.recip();
            }
        }
        let squares = self.known.iter().map(|rated| {
            let (left, slope) = told(&sides, rated);
            let [user, item] = places(rated);
            let leverage = slope * slope * (sides[0].held[user] + sides[1].held[item]);
            (left / (1.0 - leverage.min(LEVERAGE))).powi(2)
        });
        let error = squares.sum();
        (sides, error)
    }

    /// What it is worth that an item is like others that its user rated.
    fn weigh(&mut self) {
        for _ in 0..3 {
            let (mut up, mut down) = (0.0, 1e-6);
            for rated in &self.known {
                let like = self.likeness(rated);
                let (left, slope) = off(rated, self.biases(rated) + self.weight * like);
                up += slope * like * left;
                down += slope * slope * like * like;
            }
            self.weight += up / down;
        }
    }

    /// `a_u` and `t_u`; and what is told of each of the user's ratings, with how far off that is, by all the others.
    fn user(&self, user: u32, [own, taste]: [f64; 2]) -> (Row, Vec<(f64, f64)>) {
        let known = &self.known[self.starts[user as usize]..self.starts[user as usize + 1]];
        let of = |rated: &Rated| -> (f64, Row) {
            let base = self.mean + self.of_items[rated.item as usize];
            let mut row = [1.0; WIDE];
            row[1..].copy_from_slice(self.row(rated.item));
            (base + self.weight * self.likeness(rated), row)
        };
        let known: Vec<_> = known.iter().map(|rated| (rated, of(rated))).collect();
        let damping: Row = std::array::from_fn(|n| if n == 0 { own } else { taste });
        let mut found: Row = std::array::from_fn(|n| match n {
            0 => self.of_users[user as usize],
            _ => 0.0,
        });
        let told = |found: &Row, rated: &Rated, (base, row): &(f64, Row)| {
            let told = base + dot(found, row);
            let (left, slope) = off(rated, told);
            (told, left, slope.max(SLOPE))
        };
        let mut inverse = [[0.0; WIDE]; WIDE];
        for step in 0..3 {
            let mut up: Row = std::array::from_fn(|n| -damping[n] * found[n]);
            let mut square = [[0.0; WIDE]; WIDE];
            (0..WIDE).for_each(|n| square[n][n] = damping[n]);
            for (rated, of) in &known {
                let (_, left, slope) = told(&found, rated, of);
                for (n, x) in of.1.iter().enumerate() {
                    up[n] += slope * left * x;
                    let add = |(sum, y): (&mut f64, &f64)| *sum += slope * slope * x * y;
                    square[n].iter_mut().zip(&of.1).for_each(add);
                }
            }
            inverse = inverted(square);
            // The last turn is for the leverages where the two before have led.
            if step < 2 {
                found = std::array::from_fn(|n| found[n] + dot(&inverse[n], &up));
            }
        }
        let apart = known.iter().map(|(rated, of)| {
            let (all, left, slope) = told(&found, rated, of);
            let across: Row = std::array::from_fn(|n| dot(&inverse[n], &of.1));
            let held = dot(&of.1, &across) + self.held[rated.item as usize];
            let leverage = (slope * slope * held).min(LEVERAGE);
            let told = all - leverage / (1.0 - leverage) * left / slope;
            (told, off(rated, told).0)
        });
        (found, apart.collect())
    }
}

/// Of a symmetric, positive matrix, which needs no other pivots than its own.
fn inverted(mut square: [Row; WIDE]) -> [Row; WIDE] {
    let mut inverse = [[0.0; WIDE]; WIDE];
    (0..WIDE).for_each(|n| inverse[n][n] = 1.0);
    for pivot in 0..WIDE {
        let scale = square[pivot][pivot].recip();
        square[pivot].iter_mut().chain(&mut inverse[pivot]).for_each(|x| *x *= scale);
        let (of_pivot, of_inverse) = (square[pivot], inverse[pivot]);
        for row in (0..WIDE).filter(|&row| row != pivot) {
            let by = square[row][pivot];
            square[row].iter_mut().zip(of_pivot).for_each(|(x, p)| *x -= by * p);
            inverse[row].iter_mut().zip(of_inverse).for_each(|(x, p)| *x -= by * p);
        }
    }
    inverse
}

#[cfg(test)]
mod tests;
