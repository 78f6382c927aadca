#include "tools/acta/commands/all_commands.h"

namespace acta::cli {

const std::vector<Command>& AllCommands() {
  static const auto& commands = *new std::vector<Command>{TopicCreateCommand(),
                                                          TopicListCommand(),
                                                          TopicDescribeCommand(),
                                                          TopicAlterCommand(),
                                                          TopicDeleteCommand(),
                                                          PublishCommand(),
                                                          SubscribeCommand(),
                                                          ReadCommand(),
                                                          GroupCreateCommand(),
                                                          GroupListCommand(),
                                                          GroupDescribeCommand(),
                                                          GroupLagCommand(),
                                                          GroupUpdateCommand(),
                                                          GroupResetCommand(),
                                                          GroupPauseCommand(),
                                                          GroupResumeCommand(),
                                                          GroupExplainCommand(),
                                                          GroupSkipCommand(),
                                                          GroupExpiredCommand(),
                                                          GroupDeleteCommand(),
                                                          DeadletterListCommand(),
                                                          DeadletterShowCommand(),
                                                          DeadletterExportCommand(),
                                                          DeadletterRedriveCommand(),
                                                          DeadletterRedrivesCommand(),
                                                          DeadletterCancelCommand(),
                                                          DeadletterEditCommand(),
                                                          DeadletterDiscardCommand(),
                                                          ClaimListCommand(),
                                                          ClaimShowCommand(),
                                                          ClaimReleaseCommand(),
                                                          ScheduleListCommand(),
                                                          ScheduleShowCommand(),
                                                          ScheduleMoveCommand(),
                                                          ScheduleCancelCommand(),
                                                          JourneyCommand(),
                                                          QuestionsCommand(),
                                                          StatusCommand(),
                                                          TopCommand(),
                                                          ConfigCommand(),
                                                          LimitsCommand(),
                                                          VersionCommand(),
                                                          AdminScrubCommand(),
                                                          AdminAcceptClockCommand(),
                                                          AdminLogLevelCommand()};
  return commands;
}

}  // namespace acta::cli
