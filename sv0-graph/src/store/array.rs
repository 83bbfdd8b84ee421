//! The building blocks of chunks: packed integers, texts, bitmaps. Every block starts at a multiple of 8.
//!
//! A packed array is a frame of reference: `value(i) = base + i * slope + residual(i)`, residuals in a fixed number of
//! bits. A constant column, equally long texts and evenly spaced numbers cost no bits at all; any value is read in place
//! by one or two loads.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

/// Collects a chunk's bytes.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
    }

    pub(crate) fn u32s(&mut self, items: &[u32]) {
        self.0.extend_from_slice(bytemuck::cast_slice(items));
        self.align();
    }

    pub(crate) fn u64s(&mut self, items: &[u64]) {
        self.0.extend_from_slice(bytemuck::cast_slice(items));
    }

    pub(crate) fn bytes(&mut self, items: &[u8]) {
        self.0.extend_from_slice(items);
        self.align();
    }

    /// Bits, 64 a word.
    pub(crate) fn bits(&mut self, bits: impl Iterator<Item = bool>) {
        let mut word = 0u64;
        let mut n = 0u32;
        for b in bits {
            word |= u64::from(b) << n;
            n += 1;
            if n == 64 {
                self.0.extend_from_slice(&word.to_le_bytes());
                (word, n) = (0, 0);
            }
        }
        if n > 0 {
            self.0.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// A packed array.
    pub(crate) fn packed(&mut self, items: &[i64]) {
        self.packed_in(items, 0);
    }

    /// A packed array with at least one bit a value: its length is bounded by its bytes, for readers that have nothing
    /// else to hold it against.
    pub(crate) fn packed_bits(&mut self, items: &[i64]) {
        self.packed_in(items, 1);
    }

    fn packed_in(&mut self, items: &[i64], least: u32) {
        let flat = plan(items, 0);
        let (base, slope, width) = match (items.first(), items.last(), items.len()) {
            (Some(a), Some(b), n @ 3..) if flat.1 > 0 => {
                let steps = i64::try_from(n - 1).unwrap_or(i64::MAX);
                let slope = b.checked_sub(*a).map_or(0, |d| d / steps);
                let inclined = plan(items, slope);
                if inclined.1 < flat.1 { (inclined.0, slope, inclined.1) } else { (flat.0, 0, flat.1) }
            }
            _ => (flat.0, 0, flat.1),
        };
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let width = width.max(least);
        self.u32s(&[count, width]);
        self.u64s(&[u64::from_le_bytes(base.to_le_bytes()), u64::from_le_bytes(slope.to_le_bytes())]);
        if width == 0 {
            return;
        }
        let (mut word, mut used) = (0u64, 0u32);
        let mut line = base;
        self.0.reserve(words(items.len(), width).saturating_mul(8));
        for v in items {
            let r = u64::from_le_bytes(v.wrapping_sub(line).to_le_bytes());
            line = line.wrapping_add(slope);
            word |= r << used;
            used += width;
            if used >= 64 {
                self.0.extend_from_slice(&word.to_le_bytes());
                used -= 64;
                // What of the residual didn't fit.
                word = if used == 0 { 0 } else { r >> (width - used) };
            }
        }
        if used > 0 {
            self.0.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// A packed array that is a line: `base + i * slope`.
    pub(crate) fn line(&mut self, count: usize, base: i64, slope: i64) {
        self.u32s(&[u32::try_from(count).unwrap_or(u32::MAX), 0]);
        self.u64s(&[u64::from_le_bytes(base.to_le_bytes()), u64::from_le_bytes(slope.to_le_bytes())]);
    }

    /// As [`Buffer::packed`], of small numbers.
    pub(crate) fn packed_u32(&mut self, items: impl Iterator<Item = u32>) {
        let wide: Vec<i64> = items.map(i64::from).collect();
        self.packed(&wide);
    }

    /// Texts: where each ends (packed), then their bytes.
    pub(crate) fn texts<'a>(&mut self, items: impl Iterator<Item = &'a str> + Clone) {
        let mut at = 0i64;
        let ends: Vec<i64> = items
            .clone()
            .map(|s| {
                at = at.saturating_add(i64::try_from(s.len()).unwrap_or(i64::MAX));
                at
            })
            .collect();
        self.packed(&ends);
        self.0.reserve(usize::try_from(at).unwrap_or(0));
        for s in items {
            self.0.extend_from_slice(s.as_bytes());
        }
        self.align();
    }
}

/// The least base and width that residuals against a line need.
fn plan(items: &[i64], slope: i64) -> (i64, u32) {
    let (mut low, mut high) = (i128::MAX, i128::MIN);
    let mut line = 0i128;
    for v in items {
        let d = i128::from(*v) - line;
        low = low.min(d);
        high = high.max(d);
        line += i128::from(slope);
    }
    if items.is_empty() {
        return (0, 0);
    }
    // Residuals are modulo 2^64, so 64 bits hold any value against any line.
    match i64::try_from(low) {
        Ok(base) => {
            let span = high - low;
            (base, (128 - span.leading_zeros()).min(64))
        }
        Err(_) => (0, 64),
    }
}

fn words(count: usize, width: u32) -> usize {
    count.saturating_mul(usize::try_from(width).unwrap_or(64)).div_ceil(64)
}

/// Reads blocks in order.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Skips a block of `len` bytes and says where it starts.
    fn take(&mut self, len: usize) -> Parsed<usize> {
        let at = self.at;
        let end = at.checked_add(len).and_then(|e| e.checked_next_multiple_of(8)).ok_or("length")?;
        if end > self.bytes.len() {
            return Err("length");
        }
        self.at = end;
        Ok(at)
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn end(&self) -> Parsed<()> {
        if self.at == self.bytes.len() { Ok(()) } else { Err("length") }
    }

    pub(crate) fn u32s(&mut self, count: usize) -> Parsed<(usize, &'a [u32])> {
        let len = count.checked_mul(4).ok_or("length")?;
        let at = self.take(len)?;
        let bytes = self.bytes.get(at..at.saturating_add(len)).ok_or("length")?;
        Ok((at, bytemuck::try_cast_slice(bytes).map_err(|_| "alignment")?))
    }

    pub(crate) fn u64s(&mut self, count: usize) -> Parsed<(usize, &'a [u64])> {
        let len = count.checked_mul(8).ok_or("length")?;
        let at = self.take(len)?;
        let bytes = self.bytes.get(at..at.saturating_add(len)).ok_or("length")?;
        Ok((at, bytemuck::try_cast_slice(bytes).map_err(|_| "alignment")?))
    }

    pub(crate) fn raw(&mut self, len: usize) -> Parsed<(usize, &'a [u8])> {
        let at = self.take(len)?;
        Ok((at, self.bytes.get(at..at.saturating_add(len)).ok_or("length")?))
    }

    pub(crate) fn bits(&mut self, count: usize) -> Parsed<usize> {
        Ok(self.u64s(count.div_ceil(64))?.0)
    }

    pub(crate) fn packed(&mut self) -> Parsed<Packed> {
        let (_, head) = self.u32s(2)?;
        let (Some(&count), Some(&width)) = (head.first(), head.get(1)) else { return Err("length") };
        let (_, line) = self.u64s(2)?;
        let (Some(&base), Some(&slope)) = (line.first(), line.get(1)) else { return Err("length") };
        if width > 64 {
            return Err("packed width");
        }
        let signed = |w: u64| i64::from_le_bytes(w.to_le_bytes());
        let count = idx(count);
        let (at, _) = self.u64s(words(count, width))?;
        Ok(Packed { at, count, width, base: signed(base), slope: signed(slope) })
    }

    /// A packed array whose length is bounded by `most`, or by its bytes.
    pub(crate) fn bounded(&mut self, most: usize) -> Parsed<Packed> {
        let p = self.packed()?;
        if p.width == 0 && p.count > most { Err("row count") } else { Ok(p) }
    }

    /// Texts of a dictionary: distinct, so that their number is bounded by their bytes.
    pub(crate) fn dictionary(&mut self, count: Option<usize>) -> Parsed<Heap> {
        let bytes = self.bytes.len();
        let head = self.bytes.get(self.at..self.at.saturating_add(4)).and_then(|b| b.first_chunk());
        if head.is_some_and(|b| idx(u32::from_le_bytes(*b)) > bytes) {
            return Err("row count");
        }
        let heap = self.texts(count)?;
        // Distinct and ascending: they are searched by halves.
        let mut last: Option<&str> = None;
        for i in 0..heap.len() {
            let text = heap.get(self.bytes, i);
            if last.is_some_and(|l| l >= text) {
                return Err("texts don't ascend");
            }
            last = Some(text);
        }
        Ok(heap)
    }

    /// A packed array of `count` numbers in `0..below`, not descending if `sorted`.
    pub(crate) fn numbers(&mut self, count: usize, below: u64, sorted: bool) -> Parsed<Packed> {
        let p = self.packed()?;
        if p.count != count {
            return Err("row count");
        }
        if !p.fits(self.bytes, below) {
            return Err("number out of range");
        }
        if sorted && (p.width > 0 || p.slope < 0) {
            let mut last = i64::MIN;
            let ascends = p.iter(self.bytes).fold(true, |ok, v| {
                let ok = ok & (v >= last);
                last = v;
                ok
            });
            if !ascends {
                return Err("numbers descend");
            }
        }
        Ok(p)
    }

    /// Texts; their number is what the block says, if it isn't given.
    pub(crate) fn texts(&mut self, count: Option<usize>) -> Parsed<Heap> {
        let ends = self.packed()?;
        if count.is_some_and(|c| c != ends.count) {
            return Err("row count");
        }
        let mut last = 0i64;
        let ascends = ends.iter(self.bytes).fold(true, |ok, e| {
            let ok = ok & (e >= last);
            last = e;
            ok
        });
        if !ascends {
            return Err("offsets aren't monotone");
        }
        let len = usize::try_from(last).map_err(|_| "length")?;
        let (at, bytes) = self.raw(len)?;
        let text = std::str::from_utf8(bytes).map_err(|_| "text isn't UTF-8")?;
        if !bytes.is_ascii() {
            for e in ends.iter(self.bytes) {
                if !text.is_char_boundary(usize::try_from(e).unwrap_or(usize::MAX)) {
                    return Err("text isn't UTF-8");
                }
            }
        }
        Ok(Heap { ends, at })
    }
}

pub(crate) fn idx(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Where a packed array lies, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packed {
    at: usize,
    pub(crate) count: usize,
    width: u32,
    base: i64,
    slope: i64,
}

impl Packed {
    fn words<'a>(&self, bytes: &'a [u8]) -> &'a [u64] {
        let end = self.at.saturating_add(words(self.count, self.width).saturating_mul(8));
        bytes.get(self.at..end).and_then(|b| bytemuck::try_cast_slice(b).ok()).unwrap_or(&[])
    }

    fn value(&self, words: &[u64], i: usize) -> i64 {
        let line = self.base.wrapping_add(self.slope.wrapping_mul(i64::try_from(i).unwrap_or(i64::MAX)));
        if self.width == 0 {
            return line;
        }
        let bit = i.saturating_mul(usize::try_from(self.width).unwrap_or(64));
        let (word, shift) = (bit / 64, u32::try_from(bit % 64).unwrap_or(0));
        let low = words.get(word).copied().unwrap_or(0) >> shift;
        let high = if shift.saturating_add(self.width) > 64 {
            words.get(word.saturating_add(1)).copied().unwrap_or(0) << (64 - shift)
        } else {
            0
        };
        let mask = if self.width == 64 { u64::MAX } else { (1u64 << self.width) - 1 };
        line.wrapping_add(i64::from_le_bytes(((low | high) & mask).to_le_bytes()))
    }

    /// Value `i`; 0 beyond the last.
    pub(crate) fn get(&self, bytes: &[u8], i: usize) -> i64 {
        if i < self.count { self.value(self.words(bytes), i) } else { 0 }
    }

    /// As [`Packed::get`], of an array whose numbers were checked to be small.
    pub(crate) fn small(&self, bytes: &[u8], i: usize) -> u32 {
        u32::try_from(self.get(bytes, i)).unwrap_or(0)
    }

    /// All values.
    pub(crate) fn iter<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = i64> + use<'a> {
        let (p, words) = (*self, self.words(bytes));
        let raw: &[u8] = bytemuck::cast_slice(words);
        let (width, slope) = (usize::try_from(self.width).unwrap_or(64), self.slope);
        let mask = if self.width == 64 { u64::MAX } else { (1u64 << self.width) - 1 };
        let (mut bit, mut line) = (0usize, self.base);
        (0..self.count).map(move |i| {
            // One load holds a value of up to 56 bits wherever it begins; the last few values aren't 8 bytes from the end.
            let loaded = raw.get(bit / 8..).and_then(<[u8]>::first_chunk).filter(|_| width <= 56);
            let v = match loaded {
                Some(b) => {
                    let residual = u64::from_le_bytes(*b) >> (bit % 8) & mask;
                    line.wrapping_add(i64::from_le_bytes(residual.to_le_bytes()))
                }
                None => p.value(words, i),
            };
            bit = bit.wrapping_add(width);
            line = line.wrapping_add(slope);
            v
        })
    }

    /// The first index whose value isn't below `v`, in an array that doesn't descend.
    pub(crate) fn lower_bound(&self, bytes: &[u8], v: i64) -> usize {
        let words = self.words(bytes);
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let mid = low.midpoint(high);
            if self.value(words, mid) < v { low = mid.saturating_add(1) } else { high = mid }
        }
        low
    }

    /// Whether all values are the same by construction.
    pub(crate) fn is_constant(&self) -> bool {
        self.width == 0 && self.slope == 0
    }

    /// The greatest difference from one value to the next, the first from 0.
    pub(crate) fn greatest_step(&self, bytes: &[u8]) -> i64 {
        if self.width == 0 && self.count > 0 {
            return if self.count > 1 { self.base.max(self.slope) } else { self.base };
        }
        let mut last = 0i64;
        self.iter(bytes).fold(0, |most, v| {
            let step = v.saturating_sub(last);
            last = v;
            most.max(step)
        })
    }

    /// The greatest of the stored numbers, before the line is added; `None` for widths that aren't read in whole blocks.
    fn greatest_residual(&self, bytes: &[u8]) -> Option<u64> {
        let words = self.words(bytes);
        let width = idx(self.width);
        let read = *BLOCKS.get(width)?;
        // 64 values fill as many words as they have bits; behind the last value's bits stand zeros or nothing.
        let blocks = words.chunks_exact(width.max(1));
        let rest = blocks.remainder();
        let mut last = [0u64; 32];
        last.get_mut(..rest.len())?.copy_from_slice(rest);
        let whole = blocks.clone().fold(0, |m, b| read(b).max(m));
        // What a crafted file puts behind the last value counts for nothing.
        let used = self.count.checked_sub(blocks.len().saturating_mul(64))?.saturating_mul(width);
        if let (Some(w), bit @ 1..) = (last.get_mut(used / 64), u32::try_from(used % 64).unwrap_or(0)) {
            *w &= (1u64 << bit) - 1;
        }
        Some(whole.max(read(last.get(..width)?)))
    }

    /// Whether all values are in `0..below`.
    pub(crate) fn fits(&self, bytes: &[u8], below: u64) -> bool {
        let below = i64::try_from(below).unwrap_or(i64::MAX);
        if self.count == 0 {
            return true;
        }
        if self.width == 0 {
            // A line: its ends tell, as long as it doesn't leave the 64 bits in between.
            let steps = i128::try_from(self.count.saturating_sub(1)).unwrap_or(i128::MAX);
            let last = i128::from(self.base).saturating_add(i128::from(self.slope).saturating_mul(steps));
            let inside = |v: i128| v >= 0 && v < i128::from(below);
            return inside(i128::from(self.base)) && inside(last);
        }
        // The widest residual tells without a scan, most often.
        if self.slope == 0 && self.width < 32 && self.base >= 0 && self.base.saturating_add(1 << self.width) <= below {
            return true;
        }
        if let Some(most) = self.greatest_residual(bytes).filter(|_| self.slope == 0 && self.base >= 0) {
            return i64::try_from(most).is_ok_and(|m| self.base.saturating_add(m) < below);
        }
        // Without an early way out, so that the loop is straight.
        self.iter(bytes).fold(true, |ok, v| ok & (v >= 0) & (v < below))
    }
}

/// The greatest of 64 values of `W` bits that fill `W` words. The width is known at compile time: the shifts are constants.
fn block<const W: usize>(words: &[u64]) -> u64 {
    let Some(words) = words.first_chunk::<W>() else { return u64::MAX };
    let mask = (1u64 << W) - 1;
    let mut most = 0;
    for i in 0..64 {
        let (word, shift) = (i * W / 64, i * W % 64);
        let mut v = words.get(word).copied().unwrap_or(0) >> shift;
        if shift + W > 64 {
            v |= words.get(word + 1).copied().unwrap_or(0) << (64 - shift);
        }
        most = most.max(v & mask);
    }
    most
}

/// By width.
#[rustfmt::skip]
const BLOCKS: [fn(&[u64]) -> u64; 33] = [
    |_| 0, block::<1>, block::<2>, block::<3>, block::<4>, block::<5>, block::<6>, block::<7>, block::<8>, block::<9>,
    block::<10>, block::<11>, block::<12>, block::<13>, block::<14>, block::<15>, block::<16>, block::<17>, block::<18>,
    block::<19>, block::<20>, block::<21>, block::<22>, block::<23>, block::<24>, block::<25>, block::<26>, block::<27>,
    block::<28>, block::<29>, block::<30>, block::<31>, block::<32>,
];

/// Texts in a chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heap {
    ends: Packed,
    at: usize,
}

impl Heap {
    pub(crate) fn len(&self) -> usize {
        self.ends.count
    }

    /// Text `i`; empty beyond the last.
    pub(crate) fn get<'a>(&self, bytes: &'a [u8], i: usize) -> &'a str {
        let end = |i: usize| usize::try_from(self.ends.get(bytes, i)).unwrap_or(0);
        let from = if i == 0 { 0 } else { end(i - 1) };
        let to = end(i).max(from);
        let range = self.at.saturating_add(from)..self.at.saturating_add(to);
        bytes.get(range).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("")
    }

    /// The number of a text among sorted ones.
    pub(crate) fn find(&self, bytes: &[u8], text: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let mid = low.midpoint(high);
            match self.get(bytes, mid).cmp(text) {
                std::cmp::Ordering::Less => low = mid.saturating_add(1),
                std::cmp::Ordering::Equal => return Some(mid),
                std::cmp::Ordering::Greater => high = mid,
            }
        }
        None
    }
}

/// Bit `i` of a bitmap at `at`.
pub(crate) fn bit(bytes: &[u8], at: usize, i: usize) -> bool {
    bytes.get(at.saturating_add(i / 8)).is_some_and(|b| b >> (i % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(items: &[i64]) {
        let mut b = Buffer::default();
        b.packed(items);
        let words: Vec<u64> = b.0.chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect();
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        let mut c = Cursor::new(bytes);
        let p = c.packed().unwrap();
        c.end().unwrap();
        assert_eq!(p.iter(bytes).collect::<Vec<_>>(), items);
    }

    #[test]
    fn packed_arrays_hold_what_was_put_in() {
        round(&[]);
        round(&[7]);
        round(&[5; 100]);
        round(&(0..1000).map(|i| i * 20).collect::<Vec<_>>());
        round(&[i64::MIN, i64::MAX, 0, -1, 1]);
        round(&[i64::MAX, i64::MAX - 3]);
        round(&[-5, 5, 100, -100]);
        let mut x = 1u64;
        for (width, count) in (1..64).flat_map(|w| [(w, 200), (w, 64), (w, 1), (w, 63), (w, 129)]) {
            let items: Vec<i64> = (0..count)
                .map(|_| {
                    x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    i64::try_from(x >> (64 - width)).unwrap() - 3
                })
                .collect();
            round(&items);
            let small: Vec<i64> = items.iter().map(|i| (i + 3) >> 33).collect();
            let most = small.iter().copied().max().unwrap_or(0);
            let mut b = Buffer::default();
            // A first value that rises above the last keeps the array from being a line.
            b.packed(&small);
            let words: Vec<u64> = b.0.chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect();
            let bytes: &[u8] = bytemuck::cast_slice(&words);
            let p = Cursor::new(bytes).packed().unwrap();
            let most = u64::try_from(most).unwrap();
            assert!(p.fits(bytes, most + 1) && !p.fits(bytes, most), "{width} {count}");
        }
    }
}
