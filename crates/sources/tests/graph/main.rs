//! The Graph source against servers over HTTP. One program, because linking costs more than running.

mod contract;
mod documented;
mod odd_answers;
mod rounds;
mod support;
