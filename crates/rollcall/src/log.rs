//! The log on stderr: one line an event, whatever its values hold.

use crate::config::Config;
use std::fmt::{self, Debug, Write};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, Writer};

/// Sets up the log on stderr. A second call changes nothing.
pub fn begin(config: &Config, verbose: u8) {
    let level = match verbose {
        0 => config.log.level.clone(),
        1 => "info,rollcall=debug,sync=debug,sources=debug,store=debug,web=debug".into(),
        _ => "debug".into(),
    };
    let filter = EnvFilter::try_new(&level).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    // Where nobody reads the log any more, complaining about that would be the next write to fail, and a panic.
    let subscriber = subscriber.log_internal_errors(false);
    let _ = match config.log.format.as_str() {
        "json" => subscriber.json().try_init(),
        _ => subscriber.with_target(false).fmt_fields(format::debug_fn(field).delimited(" ")).try_init(),
    };
}

/// Writes one field. The formatter that comes with the crate lets line breaks of a displayed value pass, and a line could be forged.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Shown(writer), "{value:?}")
}

/// Shows what would be obeyed by a terminal or end a line: control characters, separators of lines, turns of direction.
struct Shown<'w, 'a>(&'w mut Writer<'a>);

impl Write for Shown<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(self.0, "{}", c.escape_unicode())?;
                }
                c if c.is_control() => write!(self.0, "{}", c.escape_default())?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};
    use testkit::corpora::texts;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic holds it").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Each text as a message, as a field in both forms and in a span's field; what came out.
    fn logged(json: bool) -> String {
        let kept = Kept::default();
        let out = kept.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || out.clone());
        let write = || {
            for text in texts::all() {
                let _inside = tracing::info_span!("run", tenant = %text).entered();
                tracing::info!(name = %text, cause = text, "{text}");
            }
        };
        if json {
            tracing::subscriber::with_default(subscriber.json().finish(), write);
        } else {
            tracing::subscriber::with_default(subscriber.fmt_fields(format::debug_fn(field).delimited(" ")).finish(), write);
        }
        String::from_utf8(kept.0.lock().expect("no panic holds it").clone()).expect("UTF-8")
    }

    #[test]
    fn no_value_forges_a_line_of_the_log() {
        let (text, json) = (logged(false), logged(true));
        let events = texts::all().len();
        assert_eq!((text.lines().count(), json.lines().count()), (events, events));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "nothing a terminal would obey");
        for (line, value) in json.lines().zip(texts::all()) {
            let event: serde_json::Value = serde_json::from_str(line).expect("one object a line");
            assert_eq!((&event["fields"]["message"], &event["fields"]["name"]), (&value.clone().into(), &value.into()));
        }
    }
}
