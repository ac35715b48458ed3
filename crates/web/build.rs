//! Embeds the assets anew when their folder changes. Nothing is fetched or generated here: `npm run assets` fills
//! `assets/vendor`.

fn main() {
    println!("cargo:rerun-if-changed=assets/own");
    println!("cargo:rerun-if-changed=assets/vendor");
    println!("cargo:rerun-if-changed=templates");
}
