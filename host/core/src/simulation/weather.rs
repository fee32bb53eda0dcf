//! What befalls the host and its provider as a whole: files are edited, clocks
//! jump, the disk fills up, the provider is down.

use super::agenda::Happening;
use super::driver::Simulation;

impl Simulation {
    /// What befalls the host and its provider as a whole.
    pub(super) fn weather(&mut self) {
        match self.random.below(10) {
            0..=3 => {
                let ids: Vec<String> = self.library_ids();
                let Some(id) = self.random.pick(&ids).cloned() else {
                    return;
                };
                let versions: Vec<_> = self.library.values().cloned().collect();
                let versions: Vec<_> = versions
                    .into_iter()
                    .filter(|one| one.definition.id == id)
                    .collect();
                let version = match self.random.below(3) {
                    0 => None,
                    _ => self.random.pick(&versions).cloned(),
                };
                self.after(0, Happening::Edit(id, version));
            }
            4 | 5 => {
                let millis = match self.random.below(6) {
                    0 | 1 => self.random.between(60_000, 3_600_000),
                    2 => self.random.between(3_600_000, 86_400_000),
                    3 => self.random.between(86_400_000, 864_000_000),
                    _ => 0,
                };
                let forward = i64::try_from(millis).unwrap_or(0);
                let back = i64::try_from(self.random.between(500, 3_600_000)).unwrap_or(0);
                let jump = if forward == 0 { -back } else { forward };
                self.after(0, Happening::Jump(jump));
            }
            6 | 7 => {
                let room = self.random.between(500, 120_000);
                self.after(0, Happening::Disk(true));
                self.after(room, Happening::Disk(false));
            }
            _ => {
                let down = self.random.between(5_000, 600_000);
                self.after(0, Happening::Outage(down));
            }
        }
    }

    fn library_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .library
            .values()
            .map(|one| one.definition.id.clone())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}
