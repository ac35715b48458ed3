//! Whether a list that is read page by page gets anywhere: a server that links in a circle, or on and on, must not hold a run for ever.

use crate::SourceError;

/// Pages in a row that may tell nothing. Graph sends empty pages, by the hundred where little of a large tenant changed; a thousand
/// times as many objects could have been told in so many.
const EMPTY_PAGES: u64 = 10_000;
/// Pages of one list at most: at Graph's usual hundred objects and more a page, a directory beyond any there is.
const PAGES: u64 = 250_000;

/// Watches the pages of one list. Memory does not grow with their number.
#[derive(Debug, Default)]
pub struct Watch {
    pages: u64,
    empty: u64,
    /// A link seen some time ago. It moves on whenever the pages have doubled, so that a circle of any length comes by it again
    /// (Brent's way of finding one).
    landmark: String,
}

impl Watch {
    /// Notes a page: where the next one is, and whether this one told anything.
    ///
    /// # Errors
    /// [`SourceError::Endless`] when the list will not end.
    pub fn page(&mut self, next: &str, told: bool) -> Result<(), SourceError> {
        self.pages += 1;
        self.empty = if told { 0 } else { self.empty + 1 };
        let endless = |got: String| Err(SourceError::Endless { got });
        if next == self.landmark {
            return endless(format!("page {} leads back to one that was read before", self.pages));
        }
        if self.empty >= EMPTY_PAGES {
            return endless(format!("{} pages in a row told nothing", self.empty));
        }
        if self.pages >= PAGES {
            return endless(format!("there were {} pages and one more to come", self.pages));
        }
        if self.pages.is_power_of_two() {
            next.clone_into(&mut self.landmark);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages_until_told(next: impl Fn(u64) -> String, told: bool) -> Option<u64> {
        let mut watch = Watch::default();
        (0..2_000_000).find(|n| watch.page(&next(*n), told).is_err())
    }

    #[test]
    fn a_circle_of_any_length_is_found_soon() {
        for length in [1, 2, 3, 7, 100] {
            let found = pages_until_told(|n| format!("link {}", n % length), true).expect("a circle");
            assert!(found <= 4 * length, "{found} pages for a circle of {length}");
            // A way into the circle makes no difference.
            assert!(pages_until_told(|n| format!("link {}", if n < 50 { n + 1_000 } else { n % length }), true).is_some());
        }
    }

    #[test]
    fn empty_pages_and_pages_at_all_have_an_end() {
        assert_eq!(pages_until_told(|n| n.to_string(), false), Some(EMPTY_PAGES - 1));
        assert_eq!(pages_until_told(|n| n.to_string(), true), Some(PAGES - 1));
    }
}
