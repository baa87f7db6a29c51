//! Where a kernel lies on its input: strides, padding, and which taps fall outside.

/// How a kernel moves over a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    pub(super) down: Geometry,
    pub(super) across: Geometry,
}

/// The same along one axis, or along both of a square kernel.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Taps of the kernel.
    pub kernel: usize,
    /// Steps between outputs.
    pub stride: usize,
    /// What surrounds the input.
    pub padding: Padding,
}

/// How many zeros surround the input.
#[derive(Debug, Clone, Copy)]
pub enum Padding {
    /// As many on both sides.
    Each(usize),
    /// TensorFlow's rule: as many as it takes for `ceil(input / stride)` outputs, the odd one below
    /// and to the right.
    Same,
}

impl Kernel {
    /// The same along both axes.
    pub(super) const fn square(kernel: usize, stride: usize, padding: Padding) -> Self {
        let axis = Geometry { kernel, stride, padding };
        Kernel { down: axis, across: axis }
    }

    /// Rows and columns that come of so many.
    pub(super) fn outputs(&self, rows: usize, columns: usize) -> (usize, usize) {
        (self.down.along(rows).1, self.across.along(columns).1)
    }
}

impl Geometry {
    /// Zeros before the first input, and the number of outputs.
    pub fn along(&self, input: usize) -> (usize, usize) {
        match self.padding {
            Padding::Each(zeros) => {
                (zeros, ((input + 2 * zeros).saturating_sub(self.kernel)) / self.stride + 1)
            }
            Padding::Same => {
                let output = input.div_ceil(self.stride);
                (self.span(output).saturating_sub(input) / 2, output)
            }
        }
    }

    /// The inputs, zeros included, that so many outputs look at.
    pub(super) fn span(&self, outputs: usize) -> usize {
        (outputs - 1) * self.stride + self.kernel
    }

    /// Zeros before the first input and after the last that the outputs look at.
    pub(super) fn zeros(&self, input: usize) -> (usize, usize) {
        let (before, output) = self.along(input);
        (before, self.span(output).saturating_sub(input + before))
    }

    /// The taps of an output that lie on the input, not on padding, and the input under the first.
    pub(super) fn taps(&self, output: usize, input: usize) -> (std::ops::Range<usize>, usize) {
        let (before, _) = self.along(input);
        let start = output * self.stride;
        let first = before.saturating_sub(start);
        let end = (input + before).saturating_sub(start).min(self.kernel);
        (first..end.max(first), start + first - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_zero_last() {
        let axis = |kernel| Geometry { kernel, stride: 2, padding: Padding::Same };
        assert_eq!(axis(3).along(224), (0, 112));
        assert_eq!(axis(3).zeros(224), (0, 1));
        assert_eq!(axis(3).along(7), (1, 4));
        assert_eq!(axis(5).along(28), (1, 14));
        assert_eq!(axis(5).zeros(28), (1, 2));
    }

    #[test]
    fn taps_on_padding_are_left_out() {
        let axis = Geometry { kernel: 3, stride: 2, padding: Padding::Each(1) };
        assert_eq!(axis.along(4), (1, 2));
        assert_eq!(axis.taps(0, 4), (1..3, 0));
        assert_eq!(axis.taps(1, 4), (0..3, 1));
        assert_eq!(axis.along(5), (1, 3));
        assert_eq!(axis.taps(2, 5), (0..2, 3));
    }
}
