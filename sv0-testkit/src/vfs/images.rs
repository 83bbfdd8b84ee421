//! What a power cut may leave of a disk: which of the pending changes got there, whole, torn, in which order.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::disk::{Disk, FileOp, Image};
use crate::generate::Rng;

/// How an image was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Nothing of what was pending.
    Nothing,
    /// All of it.
    Everything,
    /// All but one change.
    OneLost,
    /// One change only.
    OneKept,
    /// A write's first sectors.
    TornPrefix,
    /// A write's last sectors.
    TornSuffix,
    /// Some of a write's sectors.
    TornSectors,
    /// Everything, but files end earlier.
    LengthLost,
    /// Lengths got there, and in place of the data what the disk held before.
    Stale,
    /// Any of them, in any order, torn or not.
    Subset,
}

impl Family {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Everything => "everything",
            Self::OneLost => "one lost",
            Self::OneKept => "one kept",
            Self::TornPrefix => "torn prefix",
            Self::TornSuffix => "torn suffix",
            Self::TornSectors => "torn sectors",
            Self::LengthLost => "length lost",
            Self::Stale => "stale sectors",
            Self::Subset => "random subset",
        }
    }
}

/// How many images of the families that have a choice.
#[derive(Debug, Clone, Copy)]
pub struct Breadth {
    /// Prefixes and suffixes of each write, at most.
    pub cuts: usize,
    /// Random sectors of each write.
    pub sectors: usize,
    /// Random subsets.
    pub subsets: usize,
}

impl Breadth {
    /// For the first crash.
    pub const WIDE: Self = Self { cuts: 64, sectors: 8, subsets: 32 };
    /// For a crash after a crash.
    pub const NARROW: Self = Self { cuts: 3, sectors: 2, subsets: 6 };
}

/// A pending change: of names, or of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Name(usize),
    File(usize, usize),
}

/// What is kept of a change.
#[derive(Debug, Clone)]
enum Keep {
    Whole,
    Below(usize),
    From(usize),
    These(Vec<bool>),
}

impl Keep {
    fn has(&self, sector: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Below(n) => sector < *n,
            Self::From(n) => sector >= *n,
            Self::These(v) => v[sector],
        }
    }

    fn random(r: &mut Rng, sectors: usize) -> Self {
        Self::These((0..sectors).map(|_| r.one_in(2)).collect())
    }
}

impl Disk {
    /// Calls `f` with images of each family. Equal images may come more than once.
    pub fn images(&self, r: &mut Rng, breadth: Breadth, f: &mut dyn FnMut(Family, Image)) {
        let items: Vec<Item> = (0..self.pending.len())
            .map(Item::Name)
            .chain(
                (0..self.inodes.len()).flat_map(|i| (0..self.inodes[i].pending.len()).map(move |j| Item::File(i, j))),
            )
            .collect();
        let whole = |items: &[Item]| items.iter().map(|i| (*i, Keep::Whole)).collect::<Vec<_>>();
        f(Family::Nothing, self.image(&[]));
        if items.is_empty() {
            return;
        }
        f(Family::Everything, self.image(&whole(&items)));
        for i in 0..items.len() {
            let mut others = items.clone();
            let one = others.remove(i);
            f(Family::OneLost, self.image(&whole(&others)));
            f(Family::OneKept, self.image(&whole(&[one])));
        }
        for (at, item) in items.iter().enumerate() {
            self.torn(&items, at, self.sectors(*item), r, breadth, f);
        }
        self.shortened(&whole(&items), r, f);
        f(Family::Stale, self.stale(&whole(&items), r));
        for _ in 0..breadth.subsets {
            let mut chosen: Vec<(Item, Keep)> = Vec::new();
            for item in &items {
                let sectors = self.sectors(*item);
                match r.below(4) {
                    0 => {}
                    1 if sectors > 1 => chosen.push((*item, Keep::random(r, sectors))),
                    _ => chosen.push((*item, Keep::Whole)),
                }
            }
            for i in (1..chosen.len()).rev() {
                chosen.swap(i, r.below(i + 1));
            }
            f(Family::Subset, self.image(&chosen));
        }
    }

    fn torn(
        &self,
        items: &[Item],
        at: usize,
        sectors: usize,
        r: &mut Rng,
        breadth: Breadth,
        f: &mut dyn FnMut(Family, Image),
    ) {
        if sectors < 2 {
            return;
        }
        let mut image = |family, keep: Keep, alone: bool| {
            let chosen: Vec<_> = (0..items.len())
                .filter(|i| !alone || *i == at)
                .map(|i| (items[i], if i == at { keep.clone() } else { Keep::Whole }))
                .collect();
            f(family, self.image(&chosen));
        };
        let cuts: Vec<usize> = if sectors <= breadth.cuts {
            (1..sectors).collect()
        } else {
            (0..breadth.cuts).map(|_| 1 + r.below(sectors - 1)).collect()
        };
        for n in cuts {
            image(Family::TornPrefix, Keep::Below(n), false);
            image(Family::TornSuffix, Keep::From(n), false);
        }
        for i in 0..breadth.sectors {
            image(Family::TornSectors, Keep::random(r, sectors), i % 4 == 3);
        }
    }

    /// The data got there and the length didn't, or not all of it.
    fn shortened(&self, all: &[(Item, Keep)], r: &mut Rng, f: &mut dyn FnMut(Family, Image)) {
        let full = self.image(all);
        for (path, inode) in self.names(all) {
            let (old, bytes) = (self.inodes[inode].durable.len(), &full.files[&path]);
            if old >= bytes.len() {
                continue;
            }
            let between = old + r.below(bytes.len() - old);
            for len in [old, between, between / 4096 * 4096] {
                let mut image = full.clone();
                image.files.insert(path.clone(), bytes[..len.max(old)].to_vec());
                f(Family::LengthLost, image);
            }
        }
    }

    /// The lengths got there; where new blocks of data should be the disk shows what it held before. (Never written
    /// blocks read as zeros everywhere, and blocks that a file had keep what it had in them.)
    fn stale(&self, all: &[(Item, Keep)], r: &mut Rng) -> Image {
        let mut image = self.image(all);
        for (path, inode) in self.names(all) {
            let file = &self.inodes[inode];
            let Some(bytes) = image.files.get_mut(&path) else { continue };
            let old = file.durable.len().min(bytes.len());
            if old == 0 {
                // A file of which nothing was ever durable: whose it is can't be told from what a disk held before, and
                // nobody was promised anything of it.
                continue;
            }
            bytes[..old].copy_from_slice(&file.durable[..old]);
            for op in &file.pending {
                if let FileOp::Write(offset, written) = op {
                    let end = (offset + written.len()).min(bytes.len());
                    for b in bytes[..end].iter_mut().skip(old.max(*offset)) {
                        *b = r.below(256) as u8;
                    }
                }
            }
        }
        image
    }

    fn sectors(&self, item: Item) -> usize {
        match item {
            Item::Name(_) => 0,
            Item::File(i, j) => self.inodes[i].pending[j].sectors(),
        }
    }

    fn names(&self, chosen: &[(Item, Keep)]) -> BTreeMap<PathBuf, usize> {
        let mut names = self.durable.clone();
        for (item, _) in chosen {
            if let Item::Name(n) = item {
                self.pending[*n].apply(&mut names);
            }
        }
        names
    }

    fn image(&self, chosen: &[(Item, Keep)]) -> Image {
        let mut image = Image::default();
        for (path, inode) in self.names(chosen) {
            let file = &self.inodes[inode];
            let mut bytes = file.durable.clone();
            for (item, keep) in chosen {
                if let Item::File(i, j) = item
                    && *i == inode
                {
                    let op: &FileOp = &file.pending[*j];
                    op.apply(&mut bytes, &mut |s| keep.has(s));
                }
            }
            image.files.insert(path, bytes);
        }
        image
    }
}
