//! BPR-MF: `x_ui = b_i + g_u . g_i`.
//!
//! Maximises `sum ln sigmoid(x_ui - x_uj) - lambda/2 (|g_u|^2 + |g_i|^2 + |g_j|^2) - lambda_b/2 (b_i^2 + b_j^2)`
//! over triples by stochastic gradient ascent, a triple at a time.
//!
//! All cores learn at once, and still every number comes out the same with any number of them: each
//! epoch deals users and items out at random into [`BLOCKS`] hands each. A bucket of pairs belongs to one
//! hand of users and one of items and takes its negatives from the latter, so that buckets with no hand
//! in common touch no common row. In each of as many rounds, so many of those are worked on side by side,
//! each in its own order. Rows are laid together hand by hand for the epoch, which keeps them in the
//! second cache as well: a large shop's tables do not fit.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::chance::Chance;
use super::factors::{Factors, Part};
use super::history::History;
use super::material::Material;
use super::model::{Array, Learned, Model, Plan, State, restore};
use super::newcomers::from_typical;
use super::recipe::map;
use super::triples::{rows_of_known, unseen};
use crate::encode::kernels::{Isa, for_each_isa};

/// Into how many hands users and items are dealt, at the most.
const BLOCKS: usize = 16;

/// Fewer rows than these are not worth a hand.
const HAND: usize = 24;

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BprMfSettings {
    /// The length of `g`.
    pub latent: usize,
    /// How far from zero `g` starts: the standard deviation. From far off there is noise that takes long to forget.
    /// From near by, what is popular is learned long before anything else, and whoever stops early stops there: .01 is
    /// better where one is patient.
    pub spread: f32,
    /// Whether items have a bias.
    pub bias: bool,
    /// The step of the ascent.
    pub rate: f32,
    /// What keeps `g` small.
    pub lambda: f32,
    /// What keeps the bias small.
    pub lambda_bias: f32,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for BprMfSettings {
    fn default() -> Self {
        BprMfSettings {
            latent: 64,
            spread: 0.1,
            bias: true,
            rate: 0.05,
            lambda: 0.03,
            lambda_bias: 0.01,
            seed: 1,
        }
    }
}

/// The model.
#[derive(Debug, Clone)]
pub struct BprMf {
    settings: BprMfSettings,
    user_count: usize,
    /// The items that somebody took.
    known: Vec<u32>,
    users: Vec<f32>,
    /// Each row a `g` and, at its end, the bias.
    items: Vec<f32>,
}

impl BprMf {
    /// A model of the users and items of a history that it has learned nothing from yet.
    pub fn new(history: &History, settings: BprMfSettings) -> Self {
        let BprMfSettings { latent, spread, .. } = settings;
        let chance = |name| Chance::new(settings.seed, name, 0);
        let users = chance("g_u").normals(history.users() * latent, spread);
        let g_items = rows_of_known(history, chance("g_i"), latent, spread);
        let mut items = vec![0.0; history.inventory() * (latent + 1)];
        for (row, g) in items.chunks_mut(latent + 1).zip(g_items.chunks(latent.max(1))) {
            row[..latent].copy_from_slice(&g[..latent]);
        }
        let known = history.known();
        BprMf { settings, user_count: history.users(), known, users, items }
    }
}

impl Plan for BprMfSettings {
    fn settings(&self) -> Map<String, Value> {
        map(self)
    }

    fn build(
        &self,
        _: &Material<'_>,
        history: &History,
        seed: u64,
    ) -> Result<Box<dyn Model>, Error> {
        let settings = BprMfSettings { seed, ..self.clone() };
        Ok(Box::new(BprMf::new(history, settings)))
    }
}

impl Model for BprMf {
    fn epoch(&mut self, history: &History, seed: u64, epoch: u32) -> Result<f64, Error> {
        let stream = u64::from(epoch) << 32;
        let known = history.known();
        let blocks = (history.users().min(known.len()) / HAND).clamp(1, BLOCKS);
        let everybody = (0..history.users() as u32).collect();
        let users = Deal::new(everybody, blocks, Chance::new(seed, "users", stream));
        let items = Deal::new(known, blocks, Chance::new(seed, "items", stream));
        let buckets = Buckets::new(history, &users, &items);
        let (k, width) = (self.settings.latent, self.settings.latent + 1);
        let (mut g_users, mut g_items) =
            (users.gather(&self.users, k), items.gather(&self.items, width));

        let mut loss = 0.0;
        let mut count = 0;
        for round in 0..blocks {
            let mut hands: Vec<(usize, &mut [f32])> =
                items.cut(&mut g_items, width).into_iter().enumerate().collect();
            hands.rotate_left(round);
            let work: Vec<_> =
                users.cut(&mut g_users, k).into_iter().enumerate().zip(hands).collect();
            let losses: Vec<(f64, usize)> = work
                .into_par_iter()
                .map(|((user_hand, g_users), (item_hand, g_items))| {
                    let bucket = user_hand * blocks + item_hand;
                    let mut pairs = buckets.of(bucket).to_vec();
                    let mut chance = Chance::new(seed, "bucket", stream + bucket as u64);
                    chance.shuffle(&mut pairs);
                    let hand = Hand {
                        history,
                        users: &users.order[users.range(user_hand)],
                        items: &items.order[items.range(item_hand)],
                        settings: &self.settings,
                    };
                    let mut loss = 0.0;
                    learn(Isa::best(), &hand, &pairs, g_users, g_items, &mut chance, &mut loss);
                    (loss, pairs.len())
                })
                .collect();
            for (sum, pairs) in losses {
                loss += sum;
                count += pairs;
            }
        }
        users.scatter(&g_users, &mut self.users, k);
        items.scatter(&g_items, &mut self.items, width);
        Ok(loss / count.max(1) as f64)
    }

    fn learned(&self) -> Result<Learned, Error> {
        let (k, width) = (self.settings.latent, self.settings.latent + 1);
        let rows = self.items.chunks(width);
        let mut bias: Vec<f32> = rows.clone().map(|row| row[k]).collect();
        from_typical(&mut bias, &self.known);
        let g: Vec<f32> = rows.flat_map(|row| &row[..k]).copied().collect();
        let parts = [
            Part { name: "popularity", width: self.settings.bias.into(), users: &[], items: &bias },
            Part { name: "history", width: k, users: &self.users, items: &g },
        ];
        Ok(Learned::of(Factors::new(self.user_count, bias.len(), &parts)))
    }

    fn state(&self) -> Result<State, Error> {
        let width = self.settings.latent + 1;
        Ok(State::from([
            ("users".to_owned(), Array::rows(self.user_count, self.users.clone())),
            ("items".to_owned(), Array::rows(self.items.len() / width, self.items.clone())),
        ]))
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        restore(state, "users", &mut self.users)?;
        restore(state, "items", &mut self.items)
    }
}

/// Rows of a table dealt out into hands.
struct Deal {
    /// The rows, hand by hand.
    order: Vec<u32>,
    /// Where each row stands in that order; [`ASIDE`] for those that were not dealt.
    place: Vec<u32>,
    hands: usize,
}

/// Where rows stand that were not dealt.
const ASIDE: u32 = u32::MAX;

impl Deal {
    /// Deals out rows that come in ascending order.
    fn new(mut order: Vec<u32>, hands: usize, mut chance: Chance) -> Self {
        let mut place = vec![ASIDE; order.last().map_or(0, |&last| last as usize + 1)];
        chance.shuffle(&mut order);
        order.iter().zip(0..).for_each(|(&row, at)| place[row as usize] = at);
        Deal { order, place, hands }
    }

    fn start(&self, hand: usize) -> usize {
        hand * self.order.len() / self.hands
    }

    fn range(&self, hand: usize) -> std::ops::Range<usize> {
        self.start(hand)..self.start(hand + 1)
    }

    /// A row's hand, and its place within.
    fn find(&self, row: u32) -> (usize, u32) {
        let place = self.place[row as usize] as usize;
        let mut hand = place * self.hands / self.order.len();
        // Rounding may put it one too early.
        hand += usize::from(place >= self.start(hand + 1));
        (hand, (place - self.start(hand)) as u32)
    }

    /// The rows of a table, hand by hand.
    fn gather(&self, table: &[f32], width: usize) -> Vec<f32> {
        let mut gathered = vec![0.0; self.order.len() * width];
        gathered.par_chunks_mut(width.max(1)).zip(&self.order).for_each(|(to, &row)| {
            to.copy_from_slice(&table[row as usize * width..][..width]);
        });
        gathered
    }

    fn scatter(&self, gathered: &[f32], table: &mut [f32], width: usize) {
        table.par_chunks_mut(width.max(1)).zip(&self.place).for_each(|(to, &place)| {
            if place != ASIDE {
                to.copy_from_slice(&gathered[place as usize * width..][..width]);
            }
        });
    }

    /// A slice a hand.
    fn cut<'a>(&self, mut gathered: &'a mut [f32], width: usize) -> Vec<&'a mut [f32]> {
        let cut = |hand| {
            let (own, rest) =
                std::mem::take(&mut gathered).split_at_mut(self.range(hand).len() * width);
            gathered = rest;
            own
        };
        (0..self.hands).map(cut).collect()
    }
}

/// The pairs of a history by the hands of their user and their item, as places within those hands.
struct Buckets {
    starts: Vec<usize>,
    pairs: Vec<(u32, u32)>,
}

impl Buckets {
    fn new(history: &History, users: &Deal, items: &Deal) -> Self {
        let placed = || {
            history.pairs().map(|(user, item)| {
                let ((user_hand, user), (item_hand, item)) = (users.find(user), items.find(item));
                (user_hand * items.hands + item_hand, (user, item))
            })
        };
        let mut starts = vec![0; users.hands * items.hands + 1];
        placed().for_each(|(bucket, _)| starts[bucket + 1] += 1);
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut next = starts.clone();
        let mut pairs = vec![(0, 0); history.len()];
        placed().for_each(|(bucket, pair)| {
            pairs[next[bucket]] = pair;
            next[bucket] += 1;
        });
        Buckets { starts, pairs }
    }

    fn of(&self, bucket: usize) -> &[(u32, u32)] {
        &self.pairs[self.starts[bucket]..self.starts[bucket + 1]]
    }
}

/// What a bucket is learned with.
pub(super) struct Hand<'a> {
    history: &'a History,
    /// By place in the hand, the users' dense numbers.
    users: &'a [u32],
    items: &'a [u32],
    settings: &'a BprMfSettings,
}

for_each_isa! {
    /// Learns from pairs, one after the other; what it finds of the loss is added up.
    learn(
        hand: &Hand<'_>,
        pairs: &[(u32, u32)],
        users: &mut [f32],
        items: &mut [f32],
        chance: &mut Chance,
        loss: &mut f64
    ) runs learn_all
}

#[inline(always)]
fn learn_all(
    hand: &Hand<'_>,
    pairs: &[(u32, u32)],
    users: &mut [f32],
    items: &mut [f32],
    chance: &mut Chance,
    loss: &mut f64,
) {
    let width = hand.settings.latent + 1;
    for &(user, positive) in pairs {
        let dense = hand.users[user as usize];
        // Where the user has taken the whole hand, the pair teaches nothing this time.
        let negative = unseen_place(hand, dense, chance);
        let Some(negative) = negative.filter(|&negative| negative != positive) else { continue };
        let g_u = &mut users[user as usize * (width - 1)..][..width - 1];
        let (first, second) = (positive.min(negative) as usize, positive.max(negative) as usize);
        let (before, after) = items.split_at_mut(second * width);
        let (low, high) = (&mut before[first * width..][..width], &mut after[..width]);
        let (i, j) = if positive < negative { (low, high) } else { (high, low) };
        *loss += step(g_u, i, j, hand.settings);
    }
}

/// The place in the hand of an item that the user has not taken.
#[inline(always)]
fn unseen_place(hand: &Hand<'_>, user: u32, chance: &mut Chance) -> Option<u32> {
    let mut place = 0;
    let item = unseen(hand.history, user, chance, |chance| {
        place = chance.below(hand.items.len());
        hand.items[place]
    });
    (!hand.history.has(user, item)).then_some(place as u32)
}

/// One step up the gradient of one triple; returns `-ln sigmoid(x_ui - x_uj)` as it was before.
#[inline(always)]
fn step(g_u: &mut [f32], i: &mut [f32], j: &mut [f32], settings: &BprMfSettings) -> f64 {
    let k = g_u.len();
    let (g_i, b_i) = i.split_at_mut(k);
    let (g_j, b_j) = j.split_at_mut(k);
    let (g_i, g_j) = (&mut g_i[..k], &mut g_j[..k]);
    let bias = if settings.bias { b_i[0] - b_j[0] } else { 0.0 };
    let x = bias + product_of_difference(g_u, g_i, g_j);
    // sigmoid(-x): how wrong the order is.
    let wrong = 1.0 / (1.0 + x.exp());
    let (rate, shrink) = (settings.rate, settings.rate * settings.lambda);
    for ((u, i), j) in g_u.iter_mut().zip(g_i).zip(g_j) {
        let (was_u, was_i, was_j) = (*u, *i, *j);
        *u += rate * wrong * (was_i - was_j) - shrink * was_u;
        *i += rate * wrong * was_u - shrink * was_i;
        *j -= rate * wrong * was_u + shrink * was_j;
    }
    if settings.bias {
        let shrink = rate * settings.lambda_bias;
        b_i[0] += rate * wrong - shrink * b_i[0];
        b_j[0] -= rate * wrong + shrink * b_j[0];
    }
    softplus(-x)
}

/// `g_u . (g_i - g_j)`, in sixteen sums side by side that are added up at the end.
#[inline(always)]
fn product_of_difference(g_u: &[f32], g_i: &[f32], g_j: &[f32]) -> f32 {
    let ((u, u_rest), (i, i_rest), (j, j_rest)) =
        (g_u.as_chunks::<16>(), g_i.as_chunks::<16>(), g_j.as_chunks::<16>());
    let mut sums = [0.0; 16];
    for ((u, i), j) in u.iter().zip(i).zip(j) {
        for n in 0..16 {
            sums[n] += u[n] * (i[n] - j[n]);
        }
    }
    let rest = u_rest.iter().zip(i_rest).zip(j_rest).map(|((u, i), j)| u * (i - j)).sum::<f32>();
    sums.iter().sum::<f32>() + rest
}

/// `ln(1 + e^x)`, which does not overflow.
#[inline(always)]
pub(super) fn softplus(x: f32) -> f64 {
    f64::from(x.max(0.0) + (-x.abs()).exp().ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objective(all: &[f64], k: usize, settings: &BprMfSettings) -> f64 {
        let (g_u, rest) = all.split_at(k);
        let (i, j) = rest.split_at(k + 1);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let x = dot(g_u, &i[..k]) - dot(g_u, &j[..k]) + i[k] - j[k];
        let squares = dot(g_u, g_u) + dot(&i[..k], &i[..k]) + dot(&j[..k], &j[..k]);
        let biases = i[k] * i[k] + j[k] * j[k];
        -(-x).exp().ln_1p()
            - f64::from(settings.lambda) / 2.0 * squares
            - f64::from(settings.lambda_bias) / 2.0 * biases
    }

    /// The oracle is the objective itself, by central differences in double precision.
    #[test]
    fn a_step_goes_up_the_gradient() {
        for k in [3, 16, 21] {
            let settings =
                BprMfSettings { rate: 1e-3, lambda: 0.3, lambda_bias: 0.7, ..Default::default() };
            let before = Chance::new(1, "step", k as u64).normals(3 * k + 2, 0.7);
            let mut after = before.clone();
            let (g_u, rest) = after.split_at_mut(k);
            let (i, j) = rest.split_at_mut(k + 1);
            let loss = step(g_u, i, j, &settings);
            let wide: Vec<f64> = before.iter().map(|&x| f64::from(x)).collect();
            let free = BprMfSettings { lambda: 0.0, lambda_bias: 0.0, ..settings.clone() };
            assert!((loss + objective(&wide, k, &free)).abs() < 1e-5);
            for at in 0..before.len() {
                let shifted = |by: f64| {
                    let mut all = wide.clone();
                    all[at] += by;
                    objective(&all, k, &settings)
                };
                let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                let taken = f64::from(after[at] - before[at]) / f64::from(settings.rate);
                assert!(
                    (taken - slope).abs() < 2e-3 * slope.abs().max(1.0),
                    "{at}: {taken} {slope}"
                );
            }
        }
    }

    /// Two circles: even users take even items, odd users odd ones.
    fn circles() -> History {
        let taken =
            (0..80u32).flat_map(|u| (0..12).map(move |n| (u, (n * 14 + u * 6) % 120 + u % 2)));
        History::new(80, 122, taken)
    }

    fn trained(threads: usize, epochs: std::ops::Range<u32>, mut model: BprMf) -> (BprMf, f64) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut loss = 0.0;
        pool.install(|| epochs.for_each(|epoch| loss = model.epoch(&circles(), 1, epoch).unwrap()));
        (model, loss)
    }

    fn new() -> BprMf {
        BprMf::new(&circles(), BprMfSettings { latent: 8, lambda: 0.01, ..Default::default() })
    }

    #[test]
    fn any_number_of_threads_and_any_interruption_come_to_the_same_bits() {
        let (one, _) = trained(1, 0..4, new());
        let (four, _) = trained(4, 0..2, new());
        let mut again = new();
        again.restore(&four.state().unwrap()).unwrap();
        let (again, _) = trained(3, 2..4, again);
        assert_eq!(one.learned().unwrap().factors, again.learned().unwrap().factors);
        assert_ne!(one.learned().unwrap().factors, four.learned().unwrap().factors);
    }

    #[test]
    fn it_learns_who_takes_what() {
        let (model, loss) = trained(2, 0..60, new());
        assert!(loss < 0.35, "{loss}");
        let factors = model.learned().unwrap().factors;
        let mut scores = vec![0.0; 2 * 122];
        super::super::Ranker::score(&factors.ranker(), &[0, 1], &mut scores);
        let mean = |user: usize, parity: usize| {
            scores[user * 122..][..120].iter().skip(parity).step_by(2).sum::<f32>() / 60.0
        };
        assert!(mean(0, 0) > mean(0, 1) + 0.5 && mean(1, 1) > mean(1, 0) + 0.5);
    }

    #[test]
    fn buckets_hold_every_pair_once_and_in_the_right_hands() {
        let history = circles();
        let users = Deal::new((0..80).collect(), 3, Chance::new(1, "u", 0));
        let items = Deal::new(history.known(), 3, Chance::new(1, "i", 0));
        let buckets = Buckets::new(&history, &users, &items);
        let mut found: Vec<(u32, u32)> = (0..9)
            .flat_map(|bucket| {
                let (u, i) = (users.start(bucket / 3), items.start(bucket % 3));
                let (users, items) = (&users, &items);
                buckets.of(bucket).iter().map(move |&(user, item)| {
                    (users.order[u + user as usize], items.order[i + item as usize])
                })
            })
            .collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(history.pairs()));
    }

    /// User `u` takes the first `u % 10` items and one more: item 0 is everybody's, item 9 few people's, item 11 nobody's.
    #[test]
    fn a_model_of_biases_alone_is_popularity() {
        let taken = (0..80u32).flat_map(|u| (0..=u % 10).map(move |item| (u, item)));
        let history = History::new(80, 12, taken);
        let settings = BprMfSettings { latent: 0, ..Default::default() };
        let mut model = BprMf::new(&history, settings);
        let epochs = (0..20).map(|epoch| model.epoch(&history, 1, epoch).unwrap());
        assert!(epochs.last().unwrap() < 0.5);
        let factors = model.learned().unwrap().factors;
        assert_eq!((factors.width(), factors.user(79)), (1, &[1.0][..]));
        let biases: Vec<f32> = (0..10).map(|item| factors.item(item)[0]).collect();
        assert!(biases.is_sorted_by(|a, b| a > b), "{biases:?}");
        // What nobody took stands with the typical item: of ten, the sixth from below.
        assert_eq!((factors.item(11)[0], factors.item(4)[0]), (0.0, 0.0));
    }
}
