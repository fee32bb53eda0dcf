//! The few shapes that the picture is made of, as SVG text. Our own and not a
//! crate for charts: those bring font rasterisers and layouts of their own, and
//! this is a handful of dots and words whose colours follow the reader's theme.

use std::fmt::{Display, Write as _};

/// A drawing that grows.
#[derive(Debug, Default)]
pub(super) struct Svg(String);

/// Where a text begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

impl Anchor {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A length or a place, with one digit at most.
struct Px(f64);

impl Display for Px {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rounded = (self.0 * 10.0).round() / 10.0;
        // No minus before a zero.
        write!(f, "{}", rounded + 0.0)
    }
}

impl Svg {
    /// Adds what is SVG already. Writing to a string cannot fail.
    fn put(&mut self, what: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(what);
        self.0.push('\n');
    }

    /// A line from one point to another.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let (x1, y1, x2, y2) = (Px(x1), Px(y1), Px(x2), Px(y2));
        self.put(format_args!(
            r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#
        ));
    }

    /// A dot.
    pub(super) fn dot(&mut self, class: &str, at: (f64, f64), radius: f64) {
        let (x, y, radius) = (Px(at.0), Px(at.1), Px(radius));
        self.put(format_args!(
            r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#
        ));
    }

    /// A box with round corners.
    pub(super) fn block(&mut self, class: &str, at: (f64, f64), size: (f64, f64)) {
        let (x, y, width, height) = (Px(at.0), Px(at.1), Px(size.0), Px(size.1));
        self.put(format_args!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>"#
        ));
    }

    /// Words on one line.
    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, words: &str) {
        let (x, y, anchor) = (Px(at.0), Px(at.1), anchor.word());
        let words = escape(words);
        self.put(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>"#
        ));
    }

    /// Words on one line from a place on, and smaller ones after them.
    pub(super) fn pair(&mut self, class: &str, at: (f64, f64), words: &str, small: &str) {
        let (x, y) = (Px(at.0), Px(at.1));
        let (words, small) = (escape(words), escape(small));
        self.put(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}">{words} <tspan class="small">{small}</tspan></text>"#
        ));
    }

    /// The whole document.
    pub(super) fn document(
        self,
        size: (f64, f64),
        title: &str,
        about: &str,
        style: &str,
    ) -> String {
        let (width, height) = (Px(size.0), Px(size.1));
        let (title, about) = (escape(title), escape(about));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title about\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"about\">{about}</desc>\n\
             <style>\n{style}</style>\n{}</svg>\n",
            self.0
        )
    }
}

/// Text that cannot end an element.
fn escape(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_shapes() {
        let mut svg = Svg::default();
        svg.line("a", (0.0, 1.25), (2.0, -0.01));
        svg.dot("b", (1.0, 2.0), 3.5);
        svg.block("c", (1.0, 2.0), (3.0, 4.0));
        svg.text("d", (5.0, 6.0), Anchor::End, "1 < 2 & 3");
        svg.pair("e", (7.0, 8.0), "more", "and <less>");
        insta::assert_snapshot!(svg.document((10.0, 20.0), "T&", "A", "text{}\n"), @r#"
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 20" width="10" height="20" role="img" aria-labelledby="title about">
        <title id="title">T&amp;</title>
        <desc id="about">A</desc>
        <style>
        text{}
        </style>
        <line class="a" x1="0" y1="1.3" x2="2" y2="0"/>
        <circle class="b" cx="1" cy="2" r="3.5"/>
        <rect class="c" x="1" y="2" width="3" height="4" rx="6"/>
        <text class="d" x="5" y="6" text-anchor="end">1 &lt; 2 &amp; 3</text>
        <text class="e" x="7" y="8">more <tspan class="small">and &lt;less&gt;</tspan></text>
        </svg>
        "#);
    }
}
