//! `zhixing`: one binary with all commands.
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match zhixing_api::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            #[expect(clippy::print_stderr, reason = "the last word to the person at the terminal")]
            {
                eprintln!("zhixing: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}
