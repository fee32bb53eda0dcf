//! One line of the table: a figure, what it is compared with, and its goal. A goal
//! that is missed is written down and is no error.

use crate::figures::{Spread, ratio, show};

/// On which side of a goal is good.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// No goal is set.
    None,
    /// The ratio is at least this, and better yet the other.
    AtLeast(f64, f64),
    /// The ratio is at most this.
    AtMost(f64),
    /// As much as the figure it is compared with: at most this part of it more,
    /// or so little more that it is nothing.
    Same {
        /// The part.
        part: f64,
        /// What is nothing, in the figure's own unit.
        nothing: f64,
    },
    /// The figure itself is at most this.
    Within(f64),
    /// The figure itself is at most the first, and better yet the other.
    Aim(f64, f64),
}

impl Goal {
    /// For people.
    pub(crate) fn words(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtLeast(least, aim) if least == aim => format!("ratio at least {least}"),
            Self::AtLeast(least, aim) => format!("ratio at least {least}, aim {aim}"),
            Self::AtMost(most) => format!("ratio at most {most}"),
            Self::Same { part, .. } => format!("the same, within {:.0} %", part * 100.0),
            Self::Within(0.0) => "none".to_owned(),
            Self::Within(most) => format!("at most {}", plain(most)),
            Self::Aim(most, aim) => format!("at most {}, aim {}", plain(most), plain(aim)),
        }
    }

    /// Whether it is met; unknown without a figure.
    pub(crate) fn met(self, base: Option<f64>, figure: Option<f64>) -> Option<bool> {
        let ratio = figure.zip(base).and_then(|(ours, base)| ratio(ours, base));
        match self {
            Self::None => None,
            Self::AtLeast(least, _) => ratio.map(|ratio| ratio >= least),
            Self::AtMost(most) => ratio.map(|ratio| ratio <= most),
            Self::Same { part, nothing } => {
                let more = figure? - base?;
                Some(more <= (base? * part).max(nothing))
            }
            Self::Within(most) | Self::Aim(most, _) => figure.map(|figure| figure <= most),
        }
    }
}

/// A limit as it was written, with commas.
fn plain(value: f64) -> String {
    if value.fract() == 0.0 {
        show(value).split('.').next().unwrap_or_default().to_owned()
    } else {
        value.to_string()
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was measured, and in which unit.
    pub(crate) name: String,
    /// What it is compared with.
    pub(crate) base: Option<Spread>,
    /// The program's.
    pub(crate) ours: Option<Spread>,
    /// What it should be.
    pub(crate) goal: Goal,
}

impl Row {
    /// The program's figure divided by what it is compared with.
    pub(crate) fn ratio(&self) -> Option<f64> {
        ratio(self.ours?.median, self.base?.median)
    }

    /// Whether the goal is met.
    pub(crate) fn met(&self) -> Option<bool> {
        let median = |spread: Option<Spread>| spread.map(|one| one.median);
        self.goal.met(median(self.base), median(self.ours))
    }
}

/// Lines that belong together.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// What they are about.
    pub(crate) title: String,
    /// What the program is compared with.
    pub(crate) base: &'static str,
    /// The lines.
    pub(crate) rows: Vec<Row>,
}

impl Section {
    /// An empty one.
    pub(crate) fn new(title: impl Into<String>, base: &'static str) -> Self {
        Self {
            title: title.into(),
            base,
            rows: Vec::new(),
        }
    }

    /// Adds a line.
    pub(crate) fn row(
        &mut self,
        name: impl Into<String>,
        base: Option<Spread>,
        ours: Option<Spread>,
        goal: Goal,
    ) {
        self.rows.push(Row {
            name: name.into(),
            base,
            ours,
            goal,
        });
    }

    /// Adds a line about the program alone.
    pub(crate) fn alone(&mut self, name: impl Into<String>, ours: Option<f64>, goal: Goal) {
        self.row(name, None, ours.map(Spread::one), goal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_look_the_right_way() {
        let check = |goal: Goal, base, figure, expected| {
            assert_eq!(goal.met(base, figure), expected, "{}", goal.words());
        };
        check(Goal::AtLeast(0.15, 0.3), Some(10.0), Some(2.0), Some(true));
        check(Goal::AtLeast(0.15, 0.3), Some(10.0), Some(1.0), Some(false));
        check(Goal::AtMost(5.0), Some(1.0), Some(5.1), Some(false));
        check(Goal::AtMost(5.0), Some(1.0), Some(5.0), Some(true));
        check(Goal::AtMost(5.0), None, Some(1.0), None);
        check(Goal::Within(40.0), Some(1.0), Some(41.0), Some(false));
        check(Goal::Within(40.0), None, Some(39.0), Some(true));
        check(Goal::Aim(10.0, 5.0), None, Some(7.0), Some(true));
        check(Goal::None, Some(1.0), Some(1.0), None);
        let same = Goal::Same {
            part: 0.15,
            nothing: 2.0,
        };
        check(same, Some(100.0), Some(115.0), Some(true));
        check(same, Some(100.0), Some(116.0), Some(false));
        check(same, Some(1.0), Some(3.0), Some(true));
        check(same, Some(1.0), Some(3.1), Some(false));
        check(same, Some(100.0), Some(1.0), Some(true));
        check(same, None, Some(1.0), None);
    }

    #[test]
    fn goals_are_told_in_words() {
        let check = |goal: Goal, expected: &str| assert_eq!(goal.words(), expected);
        check(Goal::None, "");
        check(Goal::AtLeast(0.15, 0.3), "ratio at least 0.15, aim 0.3");
        check(Goal::AtLeast(0.4, 0.4), "ratio at least 0.4");
        check(Goal::AtMost(1.5), "ratio at most 1.5");
        check(Goal::Within(0.0), "none");
        check(Goal::Within(0.15), "at most 0.15");
        check(Goal::Within(4096.0), "at most 4,096");
        check(Goal::Aim(10.0, 5.0), "at most 10, aim 5");
    }
}
