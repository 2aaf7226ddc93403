//! The `engrain` binary. Everything is in the library, so that tests can reach it.

/// A request makes and frees some thousand small pieces of memory, many of them on another thread than the one that
/// made them (docs/adr/0016).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    engrain_server::cli::run()
}
