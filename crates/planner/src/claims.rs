//! What users of one run take and release: usernames, addresses, records. In memory, one for each run.

use model::{SourceId, UserKey};

/// The claims of a run so far.
#[derive(Debug, Default)]
pub struct Claims {
    again: Vec<(SourceId, UserKey)>,
}

impl Claims {
    /// Settles who of the linked users keeps which username (rulings 52, 53 and 55), once all of them were decided. Returns the
    /// users whose decisions must be replaced by deciding them again, in this order.
    pub fn settle(&mut self) -> Vec<UserKey> {
        self.again.sort();
        self.again.drain(..).map(|(_, key)| key).collect()
    }
}
