//! Where networks run, and by whose operations: on a CPU by our own, on a GPU by candle's.
//!
//! Nothing else asks what hardware there is. A GPU is taken only after it has computed something, for a
//! driver may be there without a device, and a device without code that it can run.

use std::str::FromStr;

use super::Error;

/// A place where networks run.
#[derive(Debug, Clone)]
pub struct Device {
    tensors: candle_core::Device,
    ours: bool,
}

impl Default for Device {
    fn default() -> Self {
        Device::cpu()
    }
}

/// Which device is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// The GPU of a build that can use one, if it has one; else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The first NVIDIA GPU.
    Cuda,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Wanted::Auto),
            "cpu" => Ok(Wanted::Cpu),
            "cuda" => Ok(Wanted::Cuda),
            _ => Err("auto, cpu or cuda".to_owned()),
        }
    }
}

/// Whether this build can use a GPU at all.
const CUDA: bool = cfg!(feature = "cuda");

impl Device {
    /// The CPU, by our own operations.
    pub fn cpu() -> Self {
        Device { tensors: candle_core::Device::Cpu, ours: true }
    }

    /// The CPU by candle's operations, which are those that a GPU has: slower, and a witness for both.
    pub fn cpu_by_candle() -> Self {
        Device { tensors: candle_core::Device::Cpu, ours: false }
    }

    /// The first NVIDIA GPU, if this build can use it and it works.
    pub fn cuda() -> Result<Self, Error> {
        if !CUDA {
            return Err(Error::NoCuda);
        }
        let tensors = candle_core::Device::new_cuda(0)?;
        let probe = candle_core::Tensor::new(&[1f32, 2.0], &tensors)?;
        let sum: f32 = (probe * 2.0)?.sum_all()?.to_scalar()?;
        if sum != 6.0 {
            return Err(candle_core::Error::msg("the GPU cannot count to six").into());
        }
        Ok(Device { tensors, ours: false })
    }

    /// What is wanted, as far as it is there: beside the CPU stands why it is not the GPU, where somebody
    /// might have expected that.
    pub fn choose(wanted: Wanted) -> (Self, Option<Error>) {
        if wanted == Wanted::Cpu || (wanted == Wanted::Auto && !CUDA) {
            return (Device::cpu(), None);
        }
        match Device::cuda() {
            Ok(device) => (device, None),
            Err(why) => (Device::cpu(), Some(why)),
        }
    }

    /// Where candle keeps what is computed here.
    pub(crate) fn tensors(&self) -> &candle_core::Device {
        &self.tensors
    }

    /// Whether our own operations run here.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours
    }

    /// The memory of a GPU that is free now.
    pub(crate) fn free_bytes(&self) -> Option<usize> {
        #[cfg(feature = "cuda")]
        if let candle_core::Device::Cuda(device) = &self.tensors {
            return device.cuda_stream().context().mem_get_info().ok().map(|(free, _)| free);
        }
        None
    }

    /// How many things go through a network at once, where each takes so many bytes: as many as fit a
    /// quarter of the memory that is free, which leaves room for another network and for the allocator,
    /// and no more than `most`, from where on nothing is gained.
    pub(crate) fn together(&self, bytes_each: usize, most: usize) -> usize {
        let fitting = self.free_bytes().map(|free| free / 4 / bytes_each);
        fitting.map_or(most, |fitting| fitting.clamp(1, most))
    }
}

/// Sends a list through a network; where the device's memory does not hold what comes of all of it, its
/// halves one after the other.
pub(crate) fn in_parts_that_fit<T, R>(
    list: &[T],
    run: &impl Fn(&[T]) -> candle_core::Result<Vec<R>>,
) -> candle_core::Result<Vec<R>> {
    match run(list) {
        Err(error) if list.len() > 1 && is_out_of_memory(&error) => {
            let (first, second) = list.split_at(list.len() / 2);
            let mut found = in_parts_that_fit(first, run)?;
            found.extend(in_parts_that_fit(second, run)?);
            Ok(found)
        }
        result => result,
    }
}

/// Candle keeps the driver's error as its text alone.
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    let said = error.to_string();
    ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"].iter().any(|e| said.contains(e))
}

/// What tests run on beside the CPU's own operations: candle's, and a GPU where there is one.
#[cfg(test)]
pub(crate) fn others() -> Vec<Device> {
    let mut devices = vec![Device::cpu_by_candle()];
    match Device::cuda() {
        Ok(gpu) => devices.push(gpu),
        Err(why) => eprintln!("skipped on a GPU: {why}"),
    }
    devices
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_list_is_halved_until_it_fits() {
        let tried = RefCell::new(Vec::new());
        let run = |list: &[u32]| {
            tried.borrow_mut().push(list.len());
            match list.len() {
                0..=2 => Ok(list.iter().map(|x| x * 10).collect()),
                _ => Err(candle_core::Error::msg(
                    "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
                )),
            }
        };
        let found = in_parts_that_fit(&[1, 2, 3, 4, 5], &run).unwrap();
        assert_eq!(found, [10, 20, 30, 40, 50]);
        assert_eq!(*tried.borrow(), [5, 2, 3, 1, 2]);
    }

    #[test]
    fn other_errors_and_lone_things_are_not_tried_again() {
        let tried = RefCell::new(0);
        let fail = |said: &'static str| {
            let tried = &tried;
            move |_: &[u32]| -> candle_core::Result<Vec<u32>> {
                *tried.borrow_mut() += 1;
                Err(candle_core::Error::msg(said))
            }
        };
        assert!(in_parts_that_fit(&[1, 2], &fail("another shape")).is_err());
        assert!(in_parts_that_fit(&[1], &fail("CUDA_ERROR_OUT_OF_MEMORY")).is_err());
        assert_eq!(*tried.borrow(), 2);
    }

    #[test]
    fn what_is_wanted_is_taken_as_far_as_it_is_there() {
        let (cpu, why) = Device::choose(Wanted::Cpu);
        assert!(cpu.is_ours() && why.is_none());
        let (found, why) = Device::choose(Wanted::Cuda);
        assert_eq!(found.is_ours(), why.is_some());
        let (_, unasked) = Device::choose(Wanted::Auto);
        assert!(CUDA || unasked.is_none());
        assert_eq!(Device::cpu().together(1 << 20, 64), 64);
        assert_eq!("cuda".parse(), Ok(Wanted::Cuda));
        assert!("gpu".parse::<Wanted>().is_err());
    }
}
