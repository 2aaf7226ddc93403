//! Entry point of the `engrain` binary. All code is in the library, so that tests can use it.

/// A request makes thousands of small allocations, many of them freed on another thread (docs/adr/0016).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    engrain_server::cli::run()
}
