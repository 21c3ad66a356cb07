//! What makes one version of a set come before another.

/// The order of the versions of a set: that of the tool whose directory it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VersionOrder {
    /// By what they are: 2 before 10.
    #[default]
    Number,
    /// By their digits, as diesel does: 1, 10, 2. Where there are zeros before a version, it has so many digits.
    Text(u32),
    /// By the digits and the underscore after them, as dbmate sorts the names of files: 10, 1, 2.
    FileName(u32),
}

impl VersionOrder {
    /// What a version is sorted by.
    #[must_use]
    pub const fn key(self, version: i64) -> (u64, i64) {
        let (Self::Text(width) | Self::FileName(width)) = self else { return (0, version) };
        if version < 0 {
            return (0, version);
        }
        let value = version.unsigned_abs();
        let scale = scale(value, width);
        match self {
            // What follows the digits in a name comes after every digit.
            Self::FileName(_) => (value * scale + (scale - 1), -version),
            _ => (value * scale, version),
        }
    }

    /// A version that comes after this one, the nearest if that can be.
    #[must_use]
    pub fn after(self, version: i64) -> Option<i64> {
        let longer = version.checked_mul(10).and_then(|version| version.checked_add(1));
        let next = [version.checked_add(1), longer].into_iter().flatten();
        next.into_iter().find(|next| self.key(*next) > self.key(version))
    }
}

/// What brings a version to as many digits as the longest has.
const fn scale(value: u64, width: u32) -> u64 {
    const DIGITS: u32 = i64::MAX.ilog10() + 1;
    let digits = match value.checked_ilog10() {
        None => 1,
        Some(log) => log + 1,
    };
    let digits = if digits < width { width } else { digits };
    10_u64.pow(DIGITS.saturating_sub(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [i64; 12] =
        [0, 1, 2, 9, 10, 11, 20, 100, 20_251_115_232_503, 202_510_281_759_200_000, i64::MAX - 1, i64::MAX];

    fn sorted<K: Ord>(key: impl Fn(i64) -> K) -> Vec<i64> {
        let mut sorted = VERSIONS.to_vec();
        sorted.sort_by_key(|version| key(*version));
        sorted
    }

    #[test]
    fn versions_are_sorted_as_the_names_of_their_files_are() {
        assert_eq!(sorted(|version| VersionOrder::Number.key(version)), VERSIONS);
        for width in [0, 3, 14, 19, 40] {
            let digits = width.min(19) as usize;
            let text = sorted(|version| format!("{version:0digits$}"));
            assert_eq!(sorted(|version| VersionOrder::Text(width).key(version)), text, "{width}");
            let name = sorted(|version| format!("{version:0digits$}_name.sql"));
            assert_eq!(sorted(|version| VersionOrder::FileName(width).key(version)), name, "{width}");
        }
        assert!(VersionOrder::Number.key(-2) < VersionOrder::Number.key(1));
    }

    #[test]
    fn the_next_version_comes_after_in_that_order() {
        assert_eq!(VersionOrder::Number.after(9), Some(10));
        assert_eq!(VersionOrder::Number.after(i64::MAX), None);
        assert_eq!(VersionOrder::Text(0).after(9), Some(91));
        assert_eq!(VersionOrder::Text(2).after(9), Some(10));
        assert_eq!(VersionOrder::Text(0).after(99), Some(991));
        assert_eq!(VersionOrder::FileName(0).after(98), Some(99));
        assert_eq!(VersionOrder::FileName(0).after(99), None, "99_ comes after 990_ and 100_");
    }
}
