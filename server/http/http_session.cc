#include "server/http/http_session.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/http/http_answer.h"

namespace acta {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {
constexpr size_t kDrainBytes = 4096;
}  // namespace

HttpSession::HttpSession(boost::asio::ip::tcp::socket socket, const HttpPages& pages,
                         const HttpLimits& limits, HttpCounts& counts)
    : stream_(std::move(socket)), pages_(pages), limits_(limits), counts_(counts) {
  counts_.connections.fetch_add(1, std::memory_order_relaxed);
}

HttpSession::~HttpSession() { counts_.connections.fetch_sub(1, std::memory_order_relaxed); }

void HttpSession::Read() {
  request_.emplace();
  request_->header_limit(static_cast<uint32_t>(limits_.max_header_bytes));
  stream_.expires_after(absl::ToChronoMilliseconds(limits_.timeout));
  // The header only: no request here needs a body, and none is read.
  http::async_read_header(
      stream_, buffer_, *request_,
      [self = shared_from_this()](ErrorCode error, size_t) { self->OnHeader(error); });
}

void HttpSession::OnHeader(ErrorCode error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Write(431, "text/plain; charset=utf-8",
                 absl::StrCat("the header has more than ", limits_.max_header_bytes, " bytes\n"),
                 false, false);
  }
  const bool garbage =
      error && error.category() == http::make_error_code(http::error::bad_method).category();
  if (garbage && error != http::error::end_of_stream && error != http::error::partial_message) {
    return Write(400, "text/plain; charset=utf-8", "not a request\n", false, false);
  }
  if (error) return Close();  // Gone, silent too long, or done.
  counts_.requests.fetch_add(1, std::memory_order_relaxed);
  const auto& request = request_->get();
  const auto text = [](beast::string_view view) {
    return absl::string_view(view.data(), view.size());
  };
  HttpAnswer answer = AnswerTo(text(request.method_string()), text(request.target()), pages_);
  // A body that was announced and not read would be taken for the next request.
  const bool keep_alive = request.keep_alive() && request_->is_done();
  Write(answer.status, answer.content_type, std::move(answer.body), keep_alive,
        request.method() == http::verb::head);
}

void HttpSession::Write(int status, const std::string& content_type, std::string body,
                        bool keep_alive, bool head) {
  response_ = Response(static_cast<http::status>(status), 11);
  response_.set(http::field::content_type, content_type);
  response_.set(http::field::cache_control, "no-store");
  response_.set("X-Content-Type-Options", "nosniff");
  if (status == 405) response_.set(http::field::allow, "GET, HEAD");
  response_.content_length(body.size());
  response_.keep_alive(keep_alive);
  response_.body() = std::move(body);
  serializer_.emplace(response_);
  serializer_->split(head);
  stream_.expires_after(absl::ToChronoMilliseconds(limits_.timeout));
  auto written = [self = shared_from_this()](ErrorCode error, size_t) { self->OnWritten(error); };
  if (head) {
    http::async_write_header(stream_, *serializer_, std::move(written));
  } else {
    http::async_write(stream_, *serializer_, std::move(written));
  }
}

void HttpSession::OnWritten(ErrorCode error) {
  if (error || response_.need_eof() || !response_.keep_alive()) return Close();
  Read();
}

void HttpSession::Close() {
  ErrorCode error;
  stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, error);
  if (error) return;
  // Closed with bytes unread, the socket would reset and the client might lose the answer.
  stream_.expires_after(std::chrono::seconds(1));
  Drain();
}

void HttpSession::Drain() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(kDrainBytes),
                          [self = shared_from_this()](ErrorCode error, size_t) {
                            if (!error) self->Drain();
                          });
}

}  // namespace acta
