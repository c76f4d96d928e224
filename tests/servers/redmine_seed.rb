# Rails runner: switch REST on, load the default trackers and statuses, give two people an API key.
# Prints one JSON line: the keys that Redmine made, and the ids of trackers and statuses by name.
Setting.rest_api_enabled = '1'
Redmine::DefaultData::Loader.load('en') if Redmine::DefaultData::Loader.no_data?

def key_of(user)
  user.must_change_passwd = false
  user.password = user.password_confirmation = SecureRandom.hex(12)
  user.save!
  Token.where(user_id: user.id, action: 'api').destroy_all
  Token.create!(user: user, action: 'api')
  User.find(user.id).api_key
end

collector = User.new(firstname: 'Milepost', lastname: 'Collector', mail: 'collector@example.com', language: 'en')
collector.login = 'milepost-collect'

puts JSON.generate(
  keys: { manager: key_of(User.find_by!(login: 'admin')), collector: key_of(collector) },
  trackers: Tracker.pluck(:name, :id).to_h,
  statuses: IssueStatus.pluck(:name, :id).to_h
)
