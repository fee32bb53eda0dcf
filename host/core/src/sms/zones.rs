//! Time zones of a phone number, by its longest known prefix.
//!
//! The table is libphonenumber's (Apache-2.0), in `data/phone-zones.txt`. A
//! number says where it was issued, not where its owner is: a zone that the
//! contact gave always goes before these. Mobile and toll-free numbers of large
//! countries may lie in many zones; all of them are candidates.

use std::collections::HashMap;
use std::sync::LazyLock;

static DATA: &str = include_str!("../../data/phone-zones.txt");
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(DATA));

/// Prefixes in order, each with its place in `lists`. The zones of many
/// prefixes are the same, so a list is kept once.
struct Table {
    prefixes: Vec<(&'static str, usize)>,
    lists: Vec<Box<[&'static str]>>,
    longest: usize,
}

impl Table {
    fn parse(data: &'static str) -> Self {
        let mut places: HashMap<&'static str, usize> = HashMap::new();
        let mut prefixes = Vec::new();
        let mut lists: Vec<Box<[&'static str]>> = Vec::new();
        for line in data.lines().filter(|line| !line.starts_with('#')) {
            let Some((prefix, names)) = line.split_once('|') else {
                continue;
            };
            let place = *places.entry(names).or_insert_with(|| {
                lists.push(names.split('&').collect());
                lists.len() - 1
            });
            prefixes.push((prefix, place));
        }
        prefixes.sort_unstable();
        let longest = prefixes.iter().map(|(prefix, _)| prefix.len()).max();
        Self {
            prefixes,
            lists,
            longest: longest.unwrap_or(0),
        }
    }

    fn get(&self, digits: &str) -> &[&'static str] {
        (1..=self.longest.min(digits.len()))
            .rev()
            .filter_map(|length| digits.get(..length))
            .find_map(|prefix| {
                let at = self.prefixes.binary_search_by_key(&prefix, |(p, _)| *p);
                let (_, place) = self.prefixes.get(at.ok()?)?;
                self.lists.get(*place)
            })
            .map_or(&[], AsRef::as_ref)
    }
}

/// Names (IANA) of every zone a number in E.164 form may lie in, in the order
/// of the alphabet. Empty for a calling code without zones, such as satellite
/// telephones, and for anything that is not a number with a plus.
#[must_use]
pub fn zones_of(e164: &str) -> &'static [&'static str] {
    match e164.strip_prefix('+') {
        Some(digits) => TABLE.get(digits),
        None => &[],
    }
}

/// The zone of a number when there is only one; `None` when there are several
/// candidates or none.
#[must_use]
pub fn zone_of(e164: &str) -> Option<&'static str> {
    match zones_of(e164) {
        [zone] => Some(zone),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
